"""Configs in the older format of MMEngine, and in YAML, JSON and TOML."""
