"""One TOML file, and the options that win over it, to frozen settings."""

from shadow.config.loading import json_schema, load, secret_values, secrets
from shadow.config.settings import Settings
from shadow.config.values import parse_address, parse_duration, parse_live, parse_target

__all__ = [
    "Settings",
    "json_schema",
    "load",
    "parse_address",
    "parse_duration",
    "parse_live",
    "parse_target",
    "secret_values",
    "secrets",
]
