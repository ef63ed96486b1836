"""Which generators a data set needs: of the global ones, and in workers of its own.

Seeding a generator for every item, and putting it back after every batch, takes longer than loading
a small item. So a generator that the items are seen not to draw from is left alone, and looked at
again after each batch: if something did draw from it, the batch is loaded anew, with seeding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

from torch.utils.data import get_worker_info

from mainspring.rng.global_generators import GENERATORS, put_back
from mainspring.rng.item_seeds import ItemSeeds
from mainspring.rng.own_generators import OwnGenerator, generators_in

__all__ = ["GeneratorUse"]

T = TypeVar("T")


class GeneratorUse:
    """Which generators the items of a data set draw from, learnt from the first batch.

    Attributes:
        is_learning: Whether that is not known yet: then items have to be loaded between
            `begin_item` and `end_item`.
        was_shown: Whether workers were started for the data set before.
        seed_next: What to call before each item of a batch that was begun.
    """

    def __init__(self) -> None:
        self._generators: dict[str, Any] = dict(GENERATORS)
        self._drawn_from = set(GENERATORS)
        self._found: set[str] = set()
        self.is_learning = True
        self.was_shown = False
        self.seed_next: list[Callable[[], None]] = []
        self._before_item: dict[str, Any] = {}

    @classmethod
    def of(cls, *parts: Any) -> Self:
        """The generators that are kept, all of which are seeded for each item.

        Args:
            *parts: The data set, and what else keeps some.
        """
        use = cls()
        use._generators, use._drawn_from = {}, set()
        use.add_own(*parts)
        use.is_learning = False
        return use

    def add_own(self, *parts: Any) -> None:
        """Let the generators that a data set keeps for itself be seeded too, in a worker.

        Args:
            *parts: The data set, and what else keeps some.
        """
        found = {id(one): one for part in parts for one in generators_in(part)}
        for number, generator in enumerate(found.values(), 1):
            self._generators[f"own {number}"] = OwnGenerator(generator, number)
            self._drawn_from.add(f"own {number}")
            self.is_learning = True

    @property
    def needs_seeds(self) -> bool:
        """Whether items are seeded at all."""
        return bool(self._drawn_from)

    def begin_batch(self, seeds: ItemSeeds) -> None:
        """Prepare for the items of a batch.

        Args:
            seeds: Their seeds, in the order in which they will be loaded.
        """
        self.seed_next = [
            self._generators[name].seeding(seeds).__next__ for name in self._drawn_from
        ]

    def begin_item(self) -> None:
        """Seed what the next item may draw from, which is not known yet."""
        for seed in self.seed_next:
            seed()
        self._before_item = {name: g.state() for name, g in self._generators.items()}

    def end_item(self) -> None:
        """Look at what the item drew from."""
        self._found |= self._moved(self._before_item)

    def load_batch(self, load: Callable[[], T]) -> T:
        """Load a batch whose items are seeded as this object says.

        In the main process, the generators are put back afterwards, whatever happens. Those of a
        worker belong to its items.

        Args:
            load: Loads the batch.
        """
        is_main = get_worker_info() is None
        known = set(self._generators)
        watched = known if is_main else known - self._drawn_from
        states = {name: self._generators[name].state() for name in watched}
        while True:
            seeded = set(self._drawn_from)
            try:
                batch = load()
            except BaseException:
                put_back({name: states[name] for name in watched} if is_main else {})
                raise
            surprising = self._moved({name: states[name] for name in watched - seeded})
            if not surprising:
                break
            self._drawn_from |= surprising
        if is_main:
            put_back({name: states[name] for name in seeded})
        if self.is_learning:
            self._drawn_from, self.is_learning = self._found, False
        return batch

    def _moved(self, states: dict[str, Any]) -> set[str]:
        return {name for name, state in states.items() if not self._generators[name].is_at(state)}
