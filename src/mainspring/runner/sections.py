"""The sections of a run's description, and what must come together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mainspring.config.section_names import RUNNER_SECTIONS
from mainspring.errors import ConfigError, close_names

__all__ = [
    "RUNNER_SECTIONS",
    "check_triples",
    "counts_epochs",
    "default_work_dir",
    "misspelt_sections",
    "require",
    "with_default_loops",
]

_TRIPLES = (
    ("train_dataloader", "train_cfg", "optim_wrapper"),
    ("val_dataloader", "val_cfg", "val_evaluator"),
    ("test_dataloader", "test_cfg", "test_evaluator"),
)
_LOOPS_BY_DEFAULT = ("val_cfg", "test_cfg")


def misspelt_sections(keys: Iterable[str]) -> dict[str, str]:
    """Top-level keys that no section has but that look like one: key -> the section meant.

    Configs hold helper variables freely, so only near misses are worth a word.
    """
    present = set(keys)
    found: dict[str, str] = {}
    for key in present - set(RUNNER_SECTIONS):
        for name in close_names(key, RUNNER_SECTIONS, count=1):
            if name not in present and abs(len(name) - len(key)) <= 2:
                found[key] = name
    return found


def default_work_dir(cfg: Any) -> str:
    """Where a run goes that does not say it: ``work_dirs/`` and the name of its config.

    Args:
        cfg: The whole config.
    """
    filename = getattr(cfg, "filename", None)
    return str(Path("work_dirs") / (Path(filename).stem if filename else "run"))


def require(cfg: Any, section: str) -> Any:
    """A section that every run needs.

    Raises:
        ConfigError: The config does not have it.
    """
    if section in cfg and cfg[section] is not None:
        return cfg[section]
    meant = {name: key for key, name in misspelt_sections(cfg).items()}
    if section in meant:
        raise ConfigError(
            f"the config has no {section!r}",
            config_path=meant[section],
            help=f"{meant[section]!r} looks like a misspelling of it",
        )
    hints = {
        "model": "add model = dict(type='YourModel', ...)",
    }
    raise ConfigError(f"the config has no {section!r}", help=hints.get(section))


def with_default_loops(sections: dict[str, Any]) -> None:
    """Add ``val_cfg`` and ``test_cfg`` where data and evaluator are given: the ordinary loops.

    Args:
        sections: Sections by name; changed.
    """
    for data, loop, evaluator in _TRIPLES:
        described = sections.get(data) is not None and sections.get(evaluator) is not None
        if loop in _LOOPS_BY_DEFAULT and described and sections.get(loop) is None:
            sections[loop] = {}


def check_triples(sections: Mapping[str, Any], known_keys: Iterable[str] = ()) -> None:
    """Refuse a run whose training, validation or test is described only in part.

    Args:
        sections: Sections by name; ``None`` where absent.
        known_keys: All top-level keys of the config, to find a misspelt section.

    Raises:
        ConfigError: Part of a triple is missing.
    """
    for triple in _TRIPLES:
        given = [name for name in triple if sections.get(name) is not None]
        missing = [name for name in triple if sections.get(name) is None]
        if not given or not missing:
            continue
        if missing == [triple[2]] and _wants_losses(sections.get(triple[1])):
            continue
        if missing == [triple[1]] and triple[1] in _LOOPS_BY_DEFAULT:
            continue
        meant = {name: key for key, name in misspelt_sections(known_keys).items()}
        misspelt = [f"{meant[name]!r} looks like {name!r}" for name in missing if name in meant]
        raise ConfigError(
            f"{', '.join(triple[:-1])} and {triple[-1]} come together, but "
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            config_path=given[0],
            help="; ".join(misspelt) or f"give all three, or leave out {' and '.join(given)}",
        )


def _wants_losses(loop_cfg: Any) -> bool:
    return isinstance(loop_cfg, Mapping) and bool(loop_cfg.get("compute_loss"))


def counts_epochs(train_cfg: Any, loop_class: type | None = None) -> bool | None:
    """Whether a ``train_cfg`` counts in epochs; ``None`` when it does not say.

    Args:
        train_cfg: The section: dict or loop.
        loop_class: Class that the section's ``type`` stands for, when it has one.

    Raises:
        ConfigError: `type` and `by_epoch` are both given, or neither length.
    """
    if train_cfg is None:
        return None
    if not isinstance(train_cfg, Mapping):
        value = getattr(train_cfg, "by_epoch", None)
        return value if value is None else bool(value)
    if "type" in train_cfg:
        by_epoch = getattr(loop_class, "by_epoch", None)
        return by_epoch if by_epoch is None else bool(by_epoch)
    if "by_epoch" in train_cfg:
        return bool(train_cfg["by_epoch"])
    if "max_epochs" in train_cfg or "max_iters" in train_cfg:
        return "max_epochs" in train_cfg
    return None
