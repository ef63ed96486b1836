"""From a config to the script of its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mainspring.errors import ConfigError
from mainspring.rng.states import RandomStates
from mainspring.tools.eject.parts import Parts
from mainspring.tools.eject.script import write_script
from mainspring.tools.trial import as_trial, build_runner

__all__ = ["eject"]

_LONGEST = 200


def eject(
    cfg: Any, name: str, target: Path, work_dir: str, *, partial: bool = False
) -> tuple[Parts, str]:
    """The script of a config's training.

    Args:
        cfg: The config.
        name: Its file, for the first line of the script.
        target: Where the script will stand.
        work_dir: A scratch folder.
        partial: Whether to leave out what cannot be ejected.

    Returns:
        The parts of the run, and the text.

    Raises:
        ConfigError: Something cannot be ejected, or the script would be too long to read.
    """
    runner = build_runner(as_trial(cfg, work_dir))
    with runner.message_hub.as_current():
        runner.build_training()
    before = RandomStates.capture(devices=True)
    parts = Parts(runner)
    if not partial:
        parts.refuse()
    text = write_script(parts, name, target)
    if (length := text.count("\n")) > _LONGEST and parts.runner.val_loop is not None:
        told = f"validation, with which it would have {length} lines, more than {_LONGEST}"
        parts.unused = [("val_dataloader", told)]
        text = write_script(parts, name, target, validates=False)
    before.restore()  # items that were looked at may have drawn; the run is still to be trained
    if not partial:
        parts.refuse()
    length = text.count("\n")
    if length > _LONGEST:
        raise ConfigError(
            f"the script would have {length} lines, more than {_LONGEST}",
            help="move what is long in the config into modules",
        )
    return parts, text
