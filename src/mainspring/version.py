"""The version of mainspring, in the one place that packaging and users read it from."""

__version__ = "0.1.0"

MMENGINE_VERSION = f"0.10.7+mainspring.{__version__}"
"""What checkpoints name as MMEngine's, so that scripts which parse and compare it can."""
