"""What the tools for checkpoint files share: reading one, and finding its weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mainspring.checkpoint.safe_load import load_file
from mainspring.checkpoint.seal import verify_file
from mainspring.errors import CheckpointError, did_you_mean

__all__ = [
    "WeightsNameError",
    "listed",
    "meta_of",
    "missing_file",
    "read_checkpoint",
    "weights_below",
    "weights_like",
    "weights_of",
]

_SHOWN_NAMES = 5
_LONGEST_REASON = 200


class WeightsNameError(CheckpointError, AssertionError):
    """Weights are asked for by a name that none have, or that is in another form."""


def read_checkpoint(path: str | Path, *, trust: bool = False) -> Mapping[str, Any]:
    """Read a whole checkpoint file onto the CPU; torch alone does not notice altered weights.

    Args:
        path: A local file, ``.pth`` or ``.safetensors``.
        trust: Let the file run arbitrary code while it is read. Only for files that you made.

    Returns:
        Its content.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is a directory, empty, damaged, or no checkpoint; one line says which.
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(
            f"{path} is a directory, not a checkpoint file",
            help=f"mainspring ckpt ls {path} lists the checkpoints of a work directory",
        )
    if not path.exists():
        raise missing_file(path)
    if not path.is_file():
        raise CheckpointError(f"{path} is no file")
    if not path.stat().st_size:
        raise CheckpointError(f"{path} is empty")
    verdict = verify_file(path)
    if not verdict.is_valid:
        raise CheckpointError(f"{path} is damaged or not a checkpoint: {verdict.reason}")
    try:
        content = load_file(path, map_location="cpu", trust=trust)
    except CheckpointError as error:
        raise CheckpointError(_one_line(error.message), help=error.help) from None
    except Exception as error:  # noqa: BLE001 - what reading a damaged file raises is not bounded
        reason = _one_line(f"{type(error).__name__}: {error}")
        raise CheckpointError(f"{path} is damaged or not a checkpoint: {reason}") from None
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def weights_of(checkpoint: Mapping[str, Any], path: str | Path) -> Mapping[str, Any]:
    """The weights of a checkpoint, which may itself be a plain state dict.

    Args:
        checkpoint: Content of a file.
        path: The file, for messages.

    Raises:
        CheckpointError: It holds no weights, or names that are not text.
    """
    state = checkpoint.get("state_dict", checkpoint)
    if not isinstance(state, Mapping) or not any(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{path} holds no weights: its keys are {listed(map(str, checkpoint)) or 'none'}"
        )
    unnamed = [name for name in state if not isinstance(name, str)]
    if unnamed:
        raise CheckpointError(
            f"{path} holds no weights by name: its keys are {listed(map(repr, state))}"
        )
    return state


def weights_like(
    state: Mapping[str, Any], items: Iterable[tuple[str, Any]]
) -> OrderedDict[str, Any]:
    """Weights with the versions of modules that torch keeps beside those of a state dict.

    Args:
        state: The state dict.
        items: The weights by name.
    """
    weights = OrderedDict(items)
    if hasattr(state, "_metadata"):
        weights._metadata = state._metadata  # type: ignore[attr-defined]  # - torch's own place
    return weights


def weights_below(state: Mapping[str, Any], prefix: str, source: str = "") -> OrderedDict[str, Any]:
    """The weights below a prefix, which is cut off.

    Args:
        state: Weights by name.
        prefix: Such as ``backbone`` or ``backbone.``.
        source: The file, for messages.

    Raises:
        WeightsNameError: No name starts with it.
    """
    start = prefix if prefix.endswith(".") else f"{prefix}."
    found = OrderedDict(
        (name.removeprefix(start), value) for name, value in state.items() if name.startswith(start)
    )
    if not found:
        tops = sorted({name.split(".", 1)[0] for name in state})
        raise WeightsNameError(
            f"no weight{f' in {source}' if source else ''} starts with {start!r}",
            help=did_you_mean(start[:-1], tops) or f"weights start with {listed(tops)}",
        )
    return found


def missing_file(path: Path) -> FileNotFoundError:
    """The error for a checkpoint that is not there."""
    message = f"checkpoint {str(path)!r} does not exist"
    if not path.parent.is_dir():
        return FileNotFoundError(f"{message}: there is no directory {str(path.parent)!r}")
    hint = did_you_mean(path.name, (entry.name for entry in path.parent.iterdir()))
    return FileNotFoundError(f"{message}; {hint}" if hint else message)


def meta_of(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """The meta information of a checkpoint; empty if there is none, or something else.

    Args:
        checkpoint: Content of a file, or a plain state dict.
    """
    meta = checkpoint.get("meta") if "state_dict" in checkpoint else None
    return meta if isinstance(meta, Mapping) else {}


def listed(names: Any) -> str:
    """The first of some names, and how many more there are."""
    names = list(names)
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" (and {more} more)" if more > 0 else "")


def _one_line(text: str) -> str:
    line = text.strip().split("\n", 1)[0].strip()
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."
