"""Several loaders as one: side by side, in turn, or each by its share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch.utils.data import DataLoader as TorchDataLoader

from mainspring.dataset.any_loader import (
    is_named_loaders,
    length_of,
    loaders_inside,
    set_loader_epoch,
)
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dataset.workers.worker_life import end_workers
from mainspring.errors import ConfigError, DataError, did_you_mean
from mainspring.registry import FUNCTIONS
from mainspring.rng.item_seeds import mix

__all__ = ["CombinedLoader", "role_seed", "several_loaders", "use_run_seed"]

Mode: TypeAlias = Literal["together", "in_turn", "by_share"]
_MODES = ("together", "in_turn", "by_share")


@FUNCTIONS.register_module()
class CombinedLoader:
    """Several loaders as one, which continues in the middle of a pass as each of them does.

    - ``"together"``: a batch holds one of each loader, as a dict by their names, or a list. Shorter
      loaders begin anew until the longest has ended.
    - ``"in_turn"``: each batch is the next loader's; a loader that has ended is left out, and the
      pass ends with the last one.
    - ``"by_share"``: each batch is one of a loader that is drawn at random, as often as its share
      says, from the seed of the run. Loaders begin anew until the pass is over.

    Example:
        ``CombinedLoader(dict(labelled=..., unlabelled=...), "by_share", shares=dict(labelled=3,
        unlabelled=1))``

    Attributes:
        loaders: The loaders by name; in a list, their number is the name.

    Args:
        loaders: The loaders, by name or in order.
        mode: How they are combined.
        shares: Weight of each loader, beside the same names or in the same order; for
            ``"by_share"``, and by default the number of its batches.
        length: Batches of a pass; only for ``"by_share"``, where by default it is that of all
            loaders taken together.

    Raises:
        ConfigError: There is no such mode, a share has no loader or is negative, or a length is not
            known and needed.

    Example:
        >>> from mainspring.dataset import DataLoader
        >>> both = CombinedLoader(dict(few=DataLoader(range(2), 2), many=DataLoader(range(6), 3)))
        >>> for batch in both:
        ...     print(batch["few"].tolist(), batch["many"].tolist())
        [0, 1] [0, 1, 2]
        [0, 1] [3, 4, 5]
    """

    def __init__(
        self,
        loaders: Mapping[str, Iterable[Any]] | Sequence[Iterable[Any]],
        mode: Mode = "together",
        *,
        shares: Mapping[str, float] | Sequence[float] | None = None,
        length: int | None = None,
    ) -> None:
        self._is_named = isinstance(loaders, Mapping)
        self.loaders: dict[str, Any] = _by_name(loaders)
        if not self.loaders:
            raise ConfigError("there is no loader to combine", help="give loaders=dict(name=...)")
        if mode not in _MODES:
            help_line = did_you_mean(str(mode), _MODES) or f"it is one of {', '.join(_MODES)}"
            raise ConfigError(f"loaders cannot be combined {mode!r}", help=help_line)
        if mode != "by_share" and (shares is not None or length is not None):
            raise ConfigError(
                f"shares and length have no effect on loaders that are combined {mode!r}",
                help="say mode='by_share', or leave them out",
            )
        self.mode: Mode = mode
        self._length = length
        self._shares = self._checked_shares(shares)
        self._seed = 0
        self._epoch = 0
        self._steps = 0
        self._turn = 0
        self._passes: dict[str, _Pass] | None = None
        self._continues = False

    def _checked_shares(self, shares: Any) -> list[float]:
        if self.mode != "by_share":
            return []
        lengths = [length_of(loader) for loader in self.loaders.values()]
        if None in lengths and (shares is None or self._length is None):
            raise ConfigError(
                "a loader does not know its length, so neither shares nor length follow from it",
                help="give shares and length (batches of a pass)",
            )
        weights = (
            dict(zip(self.loaders, lengths, strict=True)) if shares is None else _by_name(shares)
        )
        wrong = [name for name in weights if name not in self.loaders]
        if wrong or len(weights) != len(self.loaders):
            raise ConfigError(
                f"shares are given for {', '.join(weights)}; the loaders are "
                f"{', '.join(self.loaders)}",
                help="give one share for each loader",
            )
        in_order: list[Any] = [weights[name] for name in self.loaders]
        if any(not share >= 0 or share == math.inf for share in in_order) or not any(in_order):
            raise ConfigError(f"the shares are {in_order}", help="give numbers above 0")
        return in_order

    @property
    def batch_size(self) -> int:
        """Items of a batch: of all loaders when they go together, else of the largest."""
        sizes = [getattr(loader, "batch_size", None) or 1 for loader in self.loaders.values()]
        return sum(sizes) if self.mode == "together" else max(sizes)

    def __len__(self) -> int:
        if self._length is not None:
            return self._length
        lengths = [len(loader) for loader in self.loaders.values()]
        return max(lengths) if self.mode == "together" else sum(lengths)

    def use_run_seed(self, seed: int | None) -> None:
        """Take the seed of a run: each loader has a stream of its own, the first one the run's.

        Args:
            seed: Seed of the run, the same on every rank; ``None`` changes nothing.
        """
        if seed is not None:
            self._seed, self._passes = seed, None
            for number, loader in enumerate(self.loaders.values()):
                use_run_seed(loader, role_seed(seed, number))

    def set_epoch(self, epoch: int) -> None:
        """Choose the number of the next pass, counted from 0.

        Args:
            epoch: Number of the pass.
        """
        if epoch != self._epoch:
            self._epoch, self._continues = epoch, False

    def state_dict(self) -> dict[str, Any]:
        """The position behind the batches that were given out."""
        return {
            "epoch": self._epoch,
            "used": self._steps > 0 and not self._continues,
            "steps": self._steps,
            "turn": self._turn,
            "passes": {name: one.state_dict() for name, one in self._all_passes().items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next pass be the one that `state_dict` was taken in.

        Args:
            state: What `state_dict` gave.

        Raises:
            ConfigError: It is of other loaders.
        """
        passes = self._all_passes()
        if set(passes) != set(state["passes"]):
            raise ConfigError(
                f"the checkpoint is of the loaders {', '.join(state['passes'])}, this run has "
                f"{', '.join(passes)}",
                help="resume with the same loaders, or use load_from for the weights alone",
            )
        self._epoch, self._steps, self._turn = state["epoch"], state["steps"], state["turn"]
        for name, one in passes.items():
            one.load_state_dict(state["passes"][name])
        self._continues = self._steps > 0

    def end_pass(self) -> None:
        """Leave out what the pass under way still has: the next iteration is a new pass."""
        self._continues = False

    def end_workers(self) -> bool:
        """End the workers of all loaders; whether there were any."""
        return sum(map(end_workers, self.loaders.values())) > 0

    def _all_passes(self) -> dict[str, _Pass]:
        if self._passes is None:
            self._passes = {
                name: _Pass(loader, role_seed(self._seed, number))
                for number, (name, loader) in enumerate(self.loaders.items())
            }
        return self._passes

    def __iter__(self) -> Iterator[Any]:
        passes = self._all_passes()
        if not self._continues:
            self._steps = self._turn = 0
            for one in passes.values():
                one.begin_next()
                one.has_ended = False
        self._continues = False
        batches = {"together": self._together, "in_turn": self._one_each, "by_share": self._drawn}
        for batch in batches[self.mode](passes):
            self._steps += 1
            yield batch
        self._steps = 0

    def _together(self, passes: dict[str, _Pass]) -> Iterator[Any]:
        while True:
            batch: dict[str, Any] = {}
            for name, one in passes.items():
                if not one.take():
                    if all(other.has_ended for other in passes.values()):
                        return
                    one.take()
                batch[name] = one.batch
            yield batch if self._is_named else list(batch.values())

    def _one_each(self, passes: dict[str, _Pass]) -> Iterator[Any]:
        in_order = list(passes.values())
        while not all(one.has_ended for one in in_order):
            one = in_order[self._turn % len(in_order)]
            self._turn += 1
            if not one.has_ended and one.take():
                yield one.batch

    def _drawn(self, passes: dict[str, _Pass]) -> Iterator[Any]:
        generator = torch.Generator().manual_seed(mix(self._seed, self._epoch))
        weights = torch.tensor(self._shares, dtype=torch.double, device="cpu")
        drawn = torch.multinomial(weights, len(self), replacement=True, generator=generator)
        in_order = list(passes.values())
        for number in drawn[self._steps :].tolist():
            one = in_order[number]
            if not one.take():
                one.take()
            yield one.batch


class _Pass:
    """The pass through one of the loaders that is under way; a new one follows its end.

    Attributes:
        batch: The batch that was loaded last.
        has_ended: Whether the loader came to its end since this was last set to ``False``.

    Args:
        loader: The loader.
        seed: Seed of the items that workers load for a plain torch loader.
    """

    def __init__(self, loader: Any, seed: int) -> None:
        self._source = ResumableLoader(loader, seed)
        self._number = 0
        self._delivered = 0
        self._batches: Iterator[Any] | None = None
        self.batch: Any = None
        self.has_ended = False

    def begin_next(self) -> None:
        """Begin the next pass when a batch is asked for, unless this one is still unused."""
        if self._delivered:
            self._number += 1
        self._delivered, self._batches = 0, None

    def take(self) -> bool:
        """Load the next batch; ``False`` at the end of the pass, behind which the next begins.

        Raises:
            DataError: The loader gives no batch.
        """
        loader = self._source.loader
        if self._batches is None:
            set_loader_epoch(loader, self._number)
            self._batches = self._source.batches(self._number, self._delivered)
        for batch in self._batches:
            self.batch = batch
            self._delivered += 1
            return True
        if not self._delivered:
            raise DataError(f"{type(loader).__name__}, one of several loaders, gives no batch")
        self.has_ended = True
        self.begin_next()
        return False

    def state_dict(self) -> dict[str, Any]:
        """Number of the pass, batches given out in it, and where the loader is."""
        return {
            "number": self._number,
            "delivered": self._delivered,
            "has_ended": self.has_ended,
            "loader": self._source.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue there."""
        self._number, self._delivered = state["number"], state["delivered"]
        self.has_ended, self._batches = state["has_ended"], None
        self._source.load_state_dict(state["loader"])


def _by_name(values: Any) -> dict[str, Any]:
    if isinstance(values, Mapping):
        return {str(name): value for name, value in values.items()}
    return {str(number): value for number, value in enumerate(values)}


@dataclass
class SeveralLoaders:
    """What describes several loaders: themselves, or what describes each, and how they go together.

    Attributes:
        loaders: By name, or in order.
        options: Arguments of `CombinedLoader`.
    """

    loaders: Any
    options: dict[str, Any]

    def combined(self, ready: Callable[[Any, str, int], Any]) -> CombinedLoader:
        """One loader of all.

        Args:
            ready: Makes a loader of what describes it, its name and its number.
        """
        made = {
            name: ready(loader, name, number)
            for number, (name, loader) in enumerate(_by_name(self.loaders).items())
        }
        is_named = isinstance(self.loaders, Mapping)
        return CombinedLoader(made if is_named else list(made.values()), **self.options)


def several_loaders(section: Any) -> SeveralLoaders | None:
    """What a section says about several loaders; ``None`` if it is about one.

    A dict by name means that a batch holds one of each; a list, that batches come in turn.

    Args:
        section: What a run was given as loader.
    """
    if isinstance(section, Mapping) and "loaders" in section:
        options = {str(key): section[key] for key in section if key not in ("type", "loaders")}
        return SeveralLoaders(section["loaders"], options)
    if is_named_loaders(section):
        return SeveralLoaders(dict(section), {"mode": "together"})
    if isinstance(section, list | tuple) and any(map(_is_loader, section)):
        return SeveralLoaders(list(section), {"mode": "in_turn"})
    return None


def _is_loader(value: Any) -> bool:
    """Whether an entry of a list is a loader, or the section of one, and no batch."""
    is_section = isinstance(value, Mapping) and "dataset" in value
    return is_section or isinstance(value, TorchDataLoader | CombinedLoader)


def role_seed(seed: int, number: int) -> int:
    """The seed of one of several loaders that are used side by side: the first one has the run's.

    Args:
        seed: Seed of the run.
        number: Which loader, counted from 0.
    """
    return mix(seed, number) % 2**31 if number else seed


def use_run_seed(loader: Any, seed: int | None) -> None:
    """Let a loader take the seed of a run, or those inside of it, each a seed of its own.

    Args:
        loader: Any loader.
        seed: Seed of the run, the same on every rank; ``None`` changes nothing.
    """
    own = getattr(loader, "use_run_seed", None)
    if own is not None or seed is None:
        if own is not None:
            own(seed)
        return
    for number, inner in enumerate(loaders_inside(loader)):
        if hasattr(inner, "use_run_seed"):
            inner.use_run_seed(role_seed(seed, number))
