"""The sections of a run's description, and what must come together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.config.schema import RUNNER_SECTIONS, TRIPLES, misspelt_sections
from mainspring.errors import ConfigError, ConfigTypeError, did_you_mean
from mainspring.fileio.local_folder import local_folder
from mainspring.registry.recorded import RecordedName

__all__ = [
    "RUNNER_SECTIONS",
    "check_triples",
    "counts_epochs",
    "misspelt_sections",
    "refuse_no_switch",
    "require",
    "with_classes_imported",
    "require_settings",
    "unknown_setting",
    "with_default_loops",
    "work_dir_of",
]

_LOSSES_ALONE = "; {}=dict(compute_loss=True) needs no metric"
_LOOPS_BY_DEFAULT = ("val_cfg", "test_cfg")


def work_dir_of(written: str | Path | None, cfg: Any) -> str:
    """Where a run goes, as an absolute path.

    Args:
        written: What the run's description says; ``work_dirs/`` and the name of its config by
            default.
        cfg: The whole config.

    Raises:
        ConfigError: It is a URL, or a file.
    """
    filename = getattr(cfg, "filename", None)
    folder = written or Path("work_dirs") / (Path(filename).stem if filename else "run")
    instead = (
        "give a local path; to write checkpoints and logs to storage: "
        "default_hooks=dict(checkpoint=dict(type='CheckpointHook', out_dir='s3://...'), "
        "logger=dict(type='LoggerHook', out_dir='s3://...'))"
    )
    path = os.path.abspath(local_folder(folder, "work_dir", instead=instead))
    if os.path.isfile(path):
        raise ConfigError.of_value("work_dir", str(folder), "give a folder", "which is a file")
    return path


def require(cfg: Any, section: str) -> Any:
    """A section that every run needs.

    Raises:
        ConfigError: The config does not have it.
    """
    if section in cfg and cfg[section] is not None:
        return cfg[section]
    meant = {name: key for key, name in misspelt_sections(cfg).items()}
    hint = "add model = dict(type='YourModel', ...)" if section == "model" else None
    if section in meant:
        hint = f"{meant[section]!r} looks like a misspelling of it"
    raise ConfigError(f"the config has no {section!r}", config_path=meant.get(section), help=hint)


def with_classes_imported(section: Any) -> Any:
    """A section whose lists hold the classes that a config names, rather than names for them.

    Args:
        section: The section; a dict of several such by name is changed.
    """
    if isinstance(section, list) and any(isinstance(item, RecordedName) for item in section):
        return [item.build() if isinstance(item, RecordedName) else item for item in section]
    if isinstance(section, dict) and "type" not in section:
        for name, part in section.items():
            imported = with_classes_imported(part)
            if imported is not part:
                section[name] = imported
    return section


def require_settings(
    section: str, value: Any, inside: str = "...", switches: Iterable[str] = ()
) -> None:
    """Refuse what is no dict of settings, or none, and switches that are neither on nor off.

    Raises:
        ConfigTypeError: It is something else.
    """
    if not isinstance(value, Mapping | None):
        instead = f"write {section} = dict({inside})"
        raise ConfigTypeError.of_value(section, value, instead, "but it is a dict of settings")
    for name in switches:
        refuse_no_switch((value or {}).get(name), f"{section}.{name}")


def refuse_no_switch(value: Any, path: str) -> None:
    """Refuse what is neither on nor off.

    Raises:
        ConfigTypeError: It is something else.
    """
    if not isinstance(value, bool | int | None):
        raise ConfigTypeError.of_value(path, value, "give True or False")


def unknown_setting(section: str, key: str, known: Sequence[str]) -> ConfigError:
    """The error of a setting that a section does not have."""
    return ConfigError(
        f"{section} has no setting {key!r}",
        config_path=f"{section}.{key}",
        help=did_you_mean(key, known) or f"it has {', '.join(known)}",
    )


def with_default_loops(sections: dict[str, Any]) -> None:
    """Add ``val_cfg`` and ``test_cfg`` where data and evaluator are given: the ordinary loops.

    Args:
        sections: Sections by name; changed.
    """
    for data, loop, evaluator in TRIPLES:
        described = sections.get(data) is not None and sections.get(evaluator) is not None
        if loop in _LOOPS_BY_DEFAULT and described and sections.get(loop) is None:
            sections[loop] = {}


def check_triples(sections: Mapping[str, Any], known_keys: Iterable[str] = ()) -> None:
    """Refuse a run whose training, validation or test is described only in part.

    Args:
        sections: Sections by name; ``None`` where absent.
        known_keys: All top-level keys of the config, to find a misspelt section.

    Raises:
        ConfigError: Part of a triple is missing, or a schedule has nothing to schedule.
    """
    if sections.get("param_scheduler") is not None and sections.get("optim_wrapper") is None:
        raise ConfigError(
            "param_scheduler is given without optim_wrapper",
            config_path="param_scheduler",
            help="give the optimizer that it schedules, or leave it out",
        )
    for triple in TRIPLES:
        given = [name for name in triple if sections.get(name) is not None]
        missing = [name for name in triple if sections.get(name) is None]
        if not given or not missing:
            continue
        loop = sections.get(triple[1])
        if missing == [triple[2]] and isinstance(loop, Mapping) and loop.get("compute_loss"):
            continue
        if missing == [triple[1]] and triple[1] in _LOOPS_BY_DEFAULT:
            continue
        meant = {name: key for key, name in misspelt_sections(known_keys).items()}
        misspelt = [f"{meant[name]!r} looks like {name!r}" for name in missing if name in meant]
        raise ConfigError(
            f"{', '.join(triple[:-1])} and {triple[-1]} come together, but "
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            config_path=given[0],
            help="; ".join(misspelt)
            or f"give all three, or leave out {' and '.join(given)}"
            + (_LOSSES_ALONE.format(triple[1]) if missing == [triple[2]] else ""),
        )


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
