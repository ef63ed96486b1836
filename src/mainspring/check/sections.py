"""Sections of a run that are misspelt, incomplete, or say what nobody reads."""

from __future__ import annotations

from collections.abc import Iterator

from mainspring.check.nearest import alike, nearest, suggestion
from mainspring.check.problem import Problem
from mainspring.check.run import Run
from mainspring.config.section_names import RUNNER_SECTIONS, SECTION_KEYS

__all__ = ["section_problems"]

_TRIPLES = (
    ("train_dataloader", "train_cfg", "optim_wrapper"),
    ("val_dataloader", "val_cfg", "val_evaluator"),
    ("test_dataloader", "test_cfg", "test_evaluator"),
)
_HAVE_DEFAULTS = ("val_cfg", "test_cfg")
_READ_AS_THEY_ARE = ("randomness", "env_cfg", "auto_scale_lr", "train_cfg", "val_cfg", "test_cfg")
_NEAR = 0.8


def section_problems(run: Run) -> Iterator[Problem]:
    """Sections that are misspelt, incomplete, or have unknown keys.

    Args:
        run: The run.
    """
    misspelt = _misspelt(run)
    needed = _needed(run)
    for key, name in misspelt.items():
        yield run.problem(
            "error" if name in needed else "warning",
            f"{key} is no section, so it has no effect on the run",
            (key,),
            help=f"did you mean {name!r}?",
        )
    if "model" in needed and "model" not in misspelt.values():
        yield run.problem("error", "the config has no model", ("model",), help="add model = ...")
    for triple in _TRIPLES:
        missing = [name for name in triple if name in needed and name not in misspelt.values()]
        given = [name for name in triple if run.section(name) is not None]
        if missing and not (missing == [triple[1]] and triple[1] in _HAVE_DEFAULTS):
            verb = "is" if len(missing) == 1 else "are"
            yield run.problem(
                "error",
                f"{' and '.join(missing)} {verb} missing: {', '.join(triple[:-1])} and "
                f"{triple[-1]} come together",
                (given[0],),
                help=f"give all three, or leave out {' and '.join(given)}",
            )
    yield from _strange_keys(run)
    yield from _length(run)


def _misspelt(run: Run) -> dict[str, str]:
    """Top-level names that no section has, but nearly; and the section that is meant."""
    absent = [name for name in RUNNER_SECTIONS if run.section(name) is None]
    found: dict[str, str] = {}
    for key in map(str, run.values):
        if key in RUNNER_SECTIONS or key.startswith("_"):
            continue
        for name in nearest(key, absent)[:1]:
            if alike(key, name) >= _NEAR:
                found[key] = name
    return found


def _needed(run: Run) -> set[str]:
    """Sections that are missing beside those that are there."""
    given = [name for name in RUNNER_SECTIONS if run.section(name) is not None]
    needed = {"model"} if given and "model" not in given else set()
    for triple in _TRIPLES:
        missing = [name for name in triple if name not in given]
        losses = run.argument(run.section(triple[1]), "compute_loss")
        has_default = missing == [triple[1]] and triple[1] in _HAVE_DEFAULTS
        if len(missing) < 3 and not has_default and not (missing == [triple[2]] and losses):
            needed.update(missing)
    return needed


def _strange_keys(run: Run) -> Iterator[Problem]:
    for name in _READ_AS_THEY_ARE:
        section = run.section(name)
        if not isinstance(section, dict) or dict.__contains__(section, "type"):
            continue
        known = SECTION_KEYS[name]
        for key in map(str, dict.keys(section)):
            if key not in known:
                yield run.problem(
                    "error" if name != "auto_scale_lr" else "warning",
                    f"{name} has no setting {key!r}",
                    (name, key),
                    help=suggestion(nearest(key, known)) or f"it has {', '.join(known)}",
                )
    hooks = run.section("default_hooks")
    if isinstance(hooks, dict):
        known = SECTION_KEYS["default_hooks"]
        for key in map(str, dict.keys(hooks)):
            free = [name for name in known if not dict.__contains__(hooks, name)]
            hint = suggestion(nearest(key, free))
            if key not in known and hint is not None:
                yield run.problem(
                    "warning",
                    f"default_hooks has no hook {key!r}, so this one is added to the others",
                    ("default_hooks", key),
                    help=hint,
                )


def _length(run: Run) -> Iterator[Problem]:
    """A training that does not say how long it is, or not in what it counts."""
    section = run.section("train_cfg")
    if not isinstance(section, dict) or dict.__contains__(section, "type"):
        return
    keys = [str(key) for key in dict.keys(section)]
    unknown = [key for key in keys if key not in SECTION_KEYS["train_cfg"]]
    by_epoch = dict.get(section, "by_epoch")
    needed = {True: ["max_epochs"], False: ["max_iters"]}
    lengths = needed[by_epoch] if isinstance(by_epoch, bool) else ["max_epochs", "max_iters"]
    other = "max_iters" if by_epoch else "max_epochs"
    if any(name in keys for name in lengths):
        return
    if by_epoch is not None and other in keys:
        yield run.problem(
            "error",
            f"train_cfg says by_epoch={by_epoch} and {other}",
            ("train_cfg", other),
            help=f"replace {other} by {lengths[0]}, or say by_epoch={not by_epoch}",
        )
    elif not any(nearest(key, lengths) for key in unknown):
        yield run.problem(
            "error",
            "train_cfg does not say how long to train",
            ("train_cfg",),
            help=f"give {' or '.join(f'{name}=...' for name in lengths)}",
        )
