"""A run: settings become targets, pipeline and sinks, and are worked off to an exit code."""
