"""One TOML file to frozen settings."""
