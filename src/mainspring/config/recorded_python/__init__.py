"""Configs in ordinary Python: imports stand for themselves, calls are recorded."""
