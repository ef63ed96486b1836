"""From a config that sweeps values to the runs that it describes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from mainspring.config import Config
from mainspring.config.config_dict import keeping_lazy
from mainspring.config.provenance.places import steps_to
from mainspring.config.sweep import Sweep, bind_swept, finding_sweeps, refuse_unchosen, sweeps_in
from mainspring.errors import ConfigError
from mainspring.tools.sweeps.choices import Axis, Choice, axis_of_sweep

__all__ = ["Combination", "Loader", "combinations", "grow"]

Loader: TypeAlias = Callable[[Sequence[str]], Config]
"""Reads the config with changes of a command line."""

_PATH = re.compile(r"[^\W\d]\w*(\.\w+)*")


@dataclass(frozen=True, slots=True)
class Combination:
    """One value of everything that is swept.

    Attributes:
        words: The changes that make the run's config, those for all runs included.
        choices: The values by axis.
        config: The run's config.
        digest: Hash of the config: two runs of equal configs have the same.
    """

    words: tuple[str, ...]
    choices: Mapping[str, Choice]
    config: Config
    digest: str


def combinations(
    load: Loader, overrides: Sequence[str], given: Sequence[Axis]
) -> list[Combination]:
    """One combination for each way to choose.

    What one choice leads to need not be there for another one: ``if deep: rate = sweep(0.1, 0.2)``.

    Args:
        load: Reads the config.
        overrides: Changes for all runs.
        given: What the command line sweeps.

    Raises:
        ConfigError: The config cannot be read for a combination, sweeps nothing, or has a range.
    """

    def choices_of(axis: Axis) -> Sequence[Choice]:
        if axis.range is not None:
            raise ConfigError(
                f"{axis.name} is {axis.range!r}, which has no end of values to try",
                location=axis.where,
                help="say how many runs: --trials 20",
            )
        return axis.choices

    found = list(grow(load, overrides, given, choices_of))
    if len(found) == 1 and not found[0].choices:
        raise ConfigError(
            "nothing is swept: the config describes one run",
            help="write lr = sweep(1e-3, 1e-4) in the config, or say --sweep lr=1e-3,1e-4",
        )
    return found


def grow(
    load: Loader,
    words: Sequence[str],
    given: Sequence[Axis],
    choices_of: Callable[[Axis], Iterable[Choice]],
    chosen: Mapping[str, Choice] = MappingProxyType({}),
) -> Iterator[Combination]:
    """Choose for one axis after another, until nothing is open.

    Args:
        load: Reads the config.
        words: The changes so far.
        given: Axes that the command line sweeps, of which nothing is chosen yet.
        choices_of: What to try of an axis.
        chosen: The choices so far.

    Raises:
        ConfigError: The config cannot be read.
    """
    axes = given or open_axes(load, words)
    for choice in choices_of(axes[0]) if axes else ():
        more = (*words, *axes[0].words(choice))
        yield from grow(load, more, given[1:], choices_of, {**chosen, axes[0].name: choice})
    if not axes:
        config = load(words)
        refuse_unchosen(config)
        with keeping_lazy():
            digest = hashlib.sha256(config.pretty_text.encode()).hexdigest()[:16]
        yield Combination(tuple(words), chosen, config, digest)


def open_axes(load: Loader, words: Sequence[str]) -> list[Axis]:
    """What a config sweeps that the words do not choose: variables first.

    Args:
        load: Reads the config.
        words: Changes of a command line.

    Raises:
        ConfigError: The config cannot be read, or sweeps what no path leads to.
    """
    with finding_sweeps() as variables:
        config = load(words)
    axes = [axis_of_sweep(name, (name,), sweep) for name, sweep in variables.items()]
    bind_swept(config._cfg_dict)
    found: dict[int, tuple[Sweep, list[str]]] = {}
    for path, sweep in sweeps_in(config._cfg_dict):
        _check_path(config, path, sweep)
        found.setdefault(id(sweep), (sweep, []))[1].append(path)
    return axes + [axis_of_sweep(paths[0], paths, sweep) for sweep, paths in found.values()]


def _check_path(config: Config, path: str, sweep: Sweep) -> None:
    """Refuse what a command line cannot change.

    Raises:
        ConfigError: The path has other characters than names have, or leads through a tuple.
    """
    above = steps_to(config._cfg_dict, path.split(".")[:-1])
    inside_tuple = any(isinstance(step.value, tuple) for step in above)
    if inside_tuple or _PATH.fullmatch(path) is None:
        raise ConfigError(
            f"{sweep!r} stands "
            + ("in a tuple" if inside_tuple else f"under the key {path!r}")
            + ", where no change of a command line reaches",
            location=sweep.where,
            config_path=path,
            help=f"give it a variable of its own: x = {sweep!r}",
        )
