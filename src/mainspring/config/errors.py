"""The mistakes that a config can contain, each also the builtin exception that MMEngine raises."""

from __future__ import annotations

from mainspring.errors import ConfigError, MainspringError

__all__ = [
    "ConfigAttributeError",
    "ConfigImportError",
    "ConfigKeyError",
    "ConfigParsingError",
    "ConfigTypeError",
    "IllegalImportError",
    "MissingConfigError",
    "OverrideError",
    "UnknownFormatError",
]


class MissingConfigError(ConfigError, FileNotFoundError):
    """A config file, or a base that one names, is not there."""

    __str__ = MainspringError.__str__


class UnknownFormatError(ConfigError, OSError):
    """A file is of a kind that no config has."""

    __str__ = MainspringError.__str__


class ConfigKeyError(ConfigError, KeyError):
    """A key is reserved, given twice, or not there."""

    __str__ = MainspringError.__str__


class ConfigTypeError(ConfigError, TypeError):
    """A value has a type that its place does not allow."""

    __str__ = MainspringError.__str__


class ConfigAttributeError(ConfigError, AttributeError):
    """A config file does not hold keys and values."""

    __str__ = MainspringError.__str__


class ConfigImportError(ConfigError, ImportError):
    """Something that a config imports cannot be imported."""

    __str__ = MainspringError.__str__


class OverrideError(ConfigError, AssertionError):
    """A change on the command line cannot be understood."""

    __str__ = MainspringError.__str__


class ConfigParsingError(ConfigError, RuntimeError):
    """A config file uses Python in a way that configs do not allow."""

    __str__ = MainspringError.__str__


class IllegalImportError(ConfigParsingError, AssertionError):
    """The block of ``with read_base():`` does something other than importing from configs."""

    __str__ = MainspringError.__str__
