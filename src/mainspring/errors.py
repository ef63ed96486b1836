"""What mainspring raises, and how an error says that the mistake is the user's.

The hierarchy; what is not marked otherwise stands in this module::

    MainspringError
    ├── ConfigError (ValueError, AssertionError)    a config does not describe a run
    │   ├── ConfigSyntaxError (SyntaxError)         not valid Python, YAML or JSON
    │   ├── ConfigParsingError (RuntimeError)       Python that configs do not allow
    │   │   ├── DumpError (SyntaxError)             config.printing.parse: nothing that a dump has
    │   │   ├── ExpressionError (SyntaxError)       config.printing.expression: no value in a word
    │   │   ├── IllegalImportError                  in the block of ``with read_base():``
    │   │   ├── LazyCallError                       config.lazy: a lazy object is called
    │   │   ├── MissingBaseError                    config.recorded_python.recorded: see below
    │   │   └── RefusedError (TypeError)            config.recorded_python.recording: no record
    │   ├── MissingConfigError (FileNotFoundError)  a file or base is not there
    │   │   └── MissingBaseError
    │   ├── UnknownFormatError (OSError)            a file of no kind that configs have
    │   ├── ConfigKeyError (KeyError)               a key is reserved, given twice, or not there
    │   ├── UnknownTypeError (KeyError)             a name that no registry knows
    │   │   └── MistakenConfigError (TypeError)     runner.building.quick_check: before the run
    │   ├── ConfigTypeError (TypeError)             a value of the wrong type
    │   │   └── UnchosenError                       config.sweep: several values, used as one
    │   ├── ConfigAttributeError (AttributeError)   what is named is not there
    │   ├── OverrideError                           a change on the command line
    │   ├── ConfigImportError (ImportError)         an import fails
    │   │   ├── ForbiddenNameError                  names.gate: a name that may not be reached
    │   │   └── MissingPackageError                 a package is not installed
    │   ├── VisualizationError (RuntimeError)
    │   ├── LoopError (RuntimeError)                a training or test is not described, or twice
    │   ├── UnknownRuleError                        hooks.metric_rule: greater or less is better?
    │   ├── WorkDirInUseError (BlockingIOError)     runner.work_dir_lock: by another run
    │   ├── ExistingFileError (FileExistsError)     tools.convert.conversion: nothing is replaced
    │   └── MissingStrategyError (NotImplementedError)  _strategy.missing: not there yet
    ├── CheckpointError (RuntimeError)              cannot be read, trusted or applied
    │   ├── UnknownModelError (KeyError)            checkpoint.model_zoo: no weights of that name
    │   └── WeightsNameError (AssertionError)       checkpoint.contents: nothing has such a name
    ├── DataError (RuntimeError)                    a data set, sampler or loader cannot deliver
    │   └── AnnotationError (TypeError, ValueError) an annotation file has another form
    │   └── WorkerDeathError                        runner.failures.worker_death: a process is gone
    ├── MetricError (KeyError, RuntimeError, ValueError)  nobody computes it, or two do
    ├── LaunchError (RuntimeError, KeyError)        processes do not find each other
    ├── DivergenceError (FloatingPointError)        hooks.divergence_hook: weights are no numbers
    ├── ObjectNotFoundError (AttributeError)        names.imports: nothing has this path
    ├── UnknownScalarError (KeyError)               nothing of that name was recorded
    ├── AnalysisOrderError (RuntimeError)           analysis.jit_analysis: not found out yet
    ├── ArgumentTypeError (TypeError, AssertionError)
    ├── ArgumentValueError (ValueError, AssertionError)
    ├── ArgumentKeyError (KeyError, AssertionError) nothing of that name
    └── ArgumentIndexError (IndexError, AssertionError)

Each class is also the builtin exception that older code catches in the same place. Exceptions that
come from a user's own code are never replaced: they keep their type and traceback and are given
notes (`add_note`) and a place (`place_error`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, TypeVar

__all__ = [
    "AnnotationError",
    "ArgumentIndexError",
    "ArgumentKeyError",
    "ArgumentTypeError",
    "ArgumentValueError",
    "CheckpointError",
    "ConfigAttributeError",
    "ConfigError",
    "ConfigImportError",
    "ConfigKeyError",
    "ConfigParsingError",
    "ConfigSyntaxError",
    "ConfigTypeError",
    "DataError",
    "IllegalImportError",
    "LaunchError",
    "Location",
    "MainspringError",
    "MetricError",
    "MissingConfigError",
    "LoopError",
    "MissingPackageError",
    "OverrideError",
    "UnknownFormatError",
    "UnknownScalarError",
    "UnknownTypeError",
    "VisualizationError",
    "as_ours",
    "close_names",
    "did_you_mean",
    "is_user_mistake",
    "mark_user_mistake",
    "place_error",
    "shown_path",
    "suggestion",
]

_PLACE_ATTRIBUTE = "__mainspring_place__"
_MISTAKE_ATTRIBUTE = "__mainspring_user_mistake__"

ExceptionT = TypeVar("ExceptionT", bound=BaseException)


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file that a person wrote.

    Attributes:
        file: Path as the user would type it.
        line: Line number, counted from 1; 0 where the place is no line of a file.
        column: Column, counted from 1; ``None`` where only the line is known.
    """

    file: str
    line: int
    column: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return place if self.column is None else f"{place}:{self.column}"


class MainspringError(Exception):
    """Base of all errors that mainspring raises itself.

    Args:
        message: What is wrong, with the offending value shown.
        location: Where it was written, when known.
        config_path: Dotted path in the config, such as ``model.backbone.depth``.
        help: What to do instead, such as the nearest valid name.
    """

    def __init__(
        self,
        message: str,
        *,
        location: Location | None = None,
        config_path: str | None = None,
        help: str | None = None,  # noqa: A002 - the word that compilers print
    ) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.config_path = config_path
        self.help = help

    def __str__(self) -> str:
        return self._in_lines("")

    def report(self, severity: str = "error") -> str:
        """The error in the one form that commands print: ``file:line:column: error: message``.

        Args:
            severity: ``error`` or ``warning``.
        """
        return self._in_lines(f"{severity}: ")

    def _in_lines(self, severity: str) -> str:
        place = "" if self.location is None else f"{self.location}: "
        text = f"{place}{severity}{self.message}"
        if self.config_path:
            text += f"\n  at: {shown_path(self.config_path)}"
        if self.help:
            text += f"\n  help: {self.help}"
        return text


class ArgumentTypeError(MainspringError, TypeError, AssertionError):
    """An argument of a function is of a type that it cannot have."""


class ArgumentValueError(MainspringError, ValueError, AssertionError):
    """An argument of a function has a value that it cannot have."""


class ArgumentKeyError(MainspringError, KeyError, AssertionError):
    """An argument of a function names what is not there."""


class ArgumentIndexError(MainspringError, IndexError, AssertionError):
    """An index selects what is not there."""


class UnknownScalarError(MainspringError, KeyError):
    """No scalar, information or statistic of that name was recorded."""


class LaunchError(MainspringError, RuntimeError, KeyError):
    """The environment does not say how processes find each other."""


class CheckpointError(MainspringError, RuntimeError):
    """A checkpoint cannot be read, trusted or applied."""


class DataError(MainspringError, RuntimeError):
    """A data set, sampler or loader cannot deliver what was asked of it."""


class AnnotationError(DataError, TypeError, ValueError):
    """An annotation file has another form."""


class MetricError(MainspringError, KeyError, RuntimeError, ValueError):
    """A metric that nobody computes, or that two computations claim."""


class ConfigError(MainspringError, ValueError, AssertionError):
    """A config cannot be read, or does not describe a run; MMEngine asserts what one must be."""

    @classmethod
    def of_value(cls, path: str, value: object, hint: str, consequence: str = "") -> Self:
        """The error of a value that its place does not take.

        Args:
            path: Dotted path of the place; its last part names it.
            value: What is there.
            hint: What to do instead.
            consequence: What it would mean, or is.
        """
        message = f"{path.rpartition('.')[2]} is {value!r}{consequence and ', '}{consequence}"
        return cls(message, config_path=path, help=hint)


class ConfigSyntaxError(ConfigError, SyntaxError):
    """A config file is not valid Python, YAML or JSON."""


class ConfigKeyError(ConfigError, KeyError):
    """A key is reserved, given twice, or not there."""


class UnknownTypeError(ConfigError, KeyError):
    """A name that no registry knows."""


class LoopError(ConfigError, RuntimeError):
    """A training, validation or test is described not at all, or in two ways."""

    @classmethod
    def of(cls, mode: str) -> Self:
        """The error of one that is not described.

        Args:
            mode: ``"train"``, ``"val"`` or ``"test"``.
        """
        needs = "optim_wrapper" if mode == "train" else f"{mode}_evaluator"
        wanted = {"train": "training", "val": "validation"}.get(mode, mode)
        return cls(
            f"this run describes no {wanted}",
            help=f"give {mode}_dataloader, {mode}_cfg and {needs}",
        )


class ConfigTypeError(ConfigError, TypeError):
    """A value has a type that its place does not allow."""


class ConfigAttributeError(ConfigError, AttributeError):
    """What a config names is not there, or holds no keys and values."""


class OverrideError(ConfigError):
    """A change on the command line cannot be understood."""


class ConfigImportError(ConfigError, ImportError):
    """Something that a config imports cannot be imported."""


class MissingPackageError(ConfigImportError):
    """A run needs a package that is not installed."""


class UnknownFormatError(ConfigError, OSError):
    """A file is of a kind that no config has."""


class MissingConfigError(ConfigError, FileNotFoundError):
    """A config file, or a base that one names, is not there."""


class ConfigParsingError(ConfigError, RuntimeError):
    """A config file uses Python in a way that configs do not allow."""


class IllegalImportError(ConfigParsingError):
    """The block of ``with read_base():`` does something other than importing from configs."""


class VisualizationError(ConfigError, RuntimeError):
    """Something that cannot be drawn or recorded as it was asked for."""


def mark_user_mistake(error: ExceptionT) -> ExceptionT:
    """Mark a foreign exception as caused by a mistake in the user's description of the run.

    The command line exits with 2 for such an error and with 1 for a run that failed by itself.
    """
    setattr(error, _MISTAKE_ATTRIBUTE, True)
    return error


def place_error(
    error: ExceptionT,
    location: Location | None,
    help: str | None = None,  # noqa: A002 - the word that compilers print
) -> ExceptionT:
    """Say where a foreign exception comes from, and what to do; the first place counts.

    Args:
        error: The exception; it keeps its type and text.
        location: The place in the description of the run.
        help: What to do instead.
    """
    if not hasattr(error, _PLACE_ATTRIBUTE):
        setattr(error, _PLACE_ATTRIBUTE, (location, help))
    return error


def as_ours(error: BaseException) -> MainspringError:
    """What is known of an error, foreign ones too, in the form of ours."""
    if isinstance(error, MainspringError):
        return error
    location, advice = getattr(error, _PLACE_ATTRIBUTE, (None, None))
    is_ours = type(error).__module__.startswith("mainspring.")
    speaks = str(error) and (is_ours or isinstance(error, FileNotFoundError))
    message = str(error) if speaks else f"{type(error).__name__}: {error}"
    return MainspringError(message, location=location, help=advice)


def is_user_mistake(error: BaseException) -> bool:
    """Whether the error comes from the description of the run rather than from running it."""
    return isinstance(error, ConfigError | MetricError) or hasattr(error, _MISTAKE_ATTRIBUTE)


def close_names(
    name: str, candidates: Iterable[str], *, count: int = 3, cutoff: float = 0.6
) -> list[str]:
    """The candidates that look most like a misspelt name, best first."""
    known = sorted({str(candidate) for candidate in candidates})
    found = difflib.get_close_matches(name, known, n=count, cutoff=cutoff)
    if found:
        return found
    lowered = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), lowered, n=count, cutoff=cutoff)
    return [lowered[match] for match in matches]


def shown_path(path: str) -> str:
    """A config path as people write it: a number for what a call gets by position."""
    return path.replace("_args_.", "")


def did_you_mean(name: str, candidates: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """A help line naming the closest candidates, or ``None`` when nothing is close."""
    return suggestion(close_names(name, candidates, cutoff=cutoff))


def suggestion(names: Iterable[str]) -> str | None:
    """A help line that names candidates; ``None`` if there are none."""
    shown = " or ".join(map(repr, names))
    return f"did you mean {shown}?" if shown else None
