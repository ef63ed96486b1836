"""Where two runs part, by the digests that they recorded."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainspring.comparison import different
from mainspring.errors import ConfigError
from mainspring.logging.digests import KINDS, RunDigests

__all__ = ["Comparison", "Difference", "Thing", "compare_digests", "things_of"]


@dataclass(frozen=True, slots=True)
class Thing:
    """A tensor, number or generator that differs.

    Attributes:
        name: Its name.
        a: Its digest or number in the first run; ``None`` if it is not there.
        b: That in the second.
    """

    name: str
    a: str | None
    b: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs of one kind on one rank after an iteration.

    Attributes:
        iteration: Iteration, from 1; 0 stands for the state before the first.
        rank: The rank.
        kind: One of `mainspring.logging.digests.KINDS`; of logged numbers, ``"train scalars"`` or
            ``"val scalars"``.
        things: What differs.
        count: How many things of that kind there are.
    """

    iteration: int
    rank: int
    kind: str
    things: tuple[Thing, ...]
    count: int


@dataclass(slots=True)
class Comparison:
    """How two runs compare.

    Attributes:
        source: ``"digests"`` or ``"scalars"``.
        compared: Iterations that were compared.
        lasts: Last recorded iteration of both.
        equal_until: Last compared iteration before the first difference; ``None`` if there is none.
        first: What differs at the first iteration that differs, causes before effects.
        later: First iteration, by kind, of what differs only after that.
        never: Kinds that were compared and never differ.
        notes: What limits the comparison.
        likely: What such a difference often comes from; empty for equal runs.
    """

    source: str
    compared: int = 0
    lasts: tuple[int, int] = (0, 0)
    equal_until: int | None = None
    first: list[Difference] = field(default_factory=list)
    later: dict[str, int] = field(default_factory=dict)
    never: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    likely: str = ""

    @property
    def gap(self) -> int:
        """Iterations among which the first difference came up; 0 for equal runs."""
        return self.first[0].iteration - (self.equal_until or 0) if self.first else 0


def compare_digests(a: RunDigests, b: RunDigests) -> Comparison:
    """Compare what two runs recorded at the iterations that both recorded.

    Args:
        a: One run.
        b: The other.

    Raises:
        ConfigError: They have no iteration in common.
    """
    ranks = sorted(a.ranks.keys() & b.ranks.keys())
    common = {rank: a.ranks[rank].keys() & b.ranks[rank].keys() for rank in ranks}
    iterations = sorted(set().union(*common.values())) if common else []
    if not iterations:
        raise ConfigError(
            f"the runs recorded no iteration in common: {_range(a)} of {str(a.path)!r}, "
            f"{_range(b)} of {str(b.path)!r}"
        )
    found = Comparison("digests", sum(i > 0 for i in iterations), (a.last, b.last))
    found.notes = [f"{name}: {note}" for name, run in (("A", a), ("B", b)) for note in run.notes]
    every = a.start.get("interval"), b.start.get("interval")
    if every[0] != every[1]:
        found.notes.append(
            f"A recorded every {every[0]} iterations and B every {every[1]}: only those of both "
            "are compared"
        )
    if len(a.ranks) != len(b.ranks):
        found.notes.append(
            f"A has {len(a.ranks)} ranks and B {len(b.ranks)}: only those of both are compared"
        )
    differing: set[str] = set()
    seen: set[str] = set()
    for iteration in iterations:
        here: list[Difference] = []
        for rank in [rank for rank in ranks if iteration in common[rank]]:
            left, right = a.ranks[rank][iteration], b.ranks[rank][iteration]
            for kind in [kind for kind in KINDS if kind in left and kind in right]:
                seen.add(kind)
                if things := things_of(left[kind], right[kind], by_group=kind == "settings"):
                    count = len(left[kind].keys() | right[kind].keys())
                    here.append(Difference(iteration, rank, kind, things, count))
        here.sort(key=lambda difference: (KINDS.index(difference.kind), difference.rank))
        if here and not found.first:
            found.first = here
        elif here:
            for difference in here:
                if difference.kind not in differing:
                    found.later[difference.kind] = iteration
        elif not found.first:
            found.equal_until = iteration
        differing |= {difference.kind for difference in here}
    found.never = [kind for kind in KINDS if kind in seen and kind not in differing]
    if found.first:
        found.likely = _likely(found, a, b)
    return found


def things_of(a: dict[str, str], b: dict[str, str], by_group: bool = False) -> tuple[Thing, ...]:
    """What differs among digests or numbers by name.

    Args:
        a: Those of the first run.
        b: Those of the second.
        by_group: Whether values of several groups of parameters may stand in one.
    """
    things = (Thing(*found) for found in different(a, b, missing=None))
    return tuple(map(_first_group, things) if by_group else things)


def _range(run: RunDigests) -> str:
    iterations = [iteration for records in run.ranks.values() for iteration in records]
    return f"{min(iterations)} to {max(iterations)}" if iterations else "none"


def _first_group(thing: Thing) -> Thing:
    """The first group of parameters whose setting differs, where there are several."""
    if thing.a is None or thing.b is None:
        return thing
    left, right = thing.a.split("|"), thing.b.split("|")
    count = max(len(left), len(right))
    left, right = (side * count if len(side) == 1 else side for side in (left, right))
    if count == 1 or len(left) != len(right):
        return thing
    index = next(i for i in range(count) if left[i] != right[i])
    return Thing(f"{thing.name} of group {index}", left[index], right[index])


_LIKELY = {
    "generators": "one run drew more random numbers before this iteration: a hook, transform or "
    "model that draws in one run only, or another seed",
    "batch": "the data order or augmentation: another shuffle, sampler or transform, or other "
    "files",
    "values": "the forward pass: an operation that is not deterministic, other code of the model, "
    "another device, precision or number of threads; "
    "randomness=dict(deterministic=True) rules out the first",
    "gradients": "the backward pass: an operation that is not deterministic, another order of "
    "summation, clipping or loss scaling",
    "settings": "the config: mainspring diff CONFIG_A CONFIG_B shows where",
    "optimizer": "the gradients, which were not recorded (DigestHook with gradients=True does so), "
    "or the optimizer",
    "weights": "the gradients, which were not recorded (DigestHook with gradients=True does so), "
    "or something that changes weights besides the optimizer, such as a hook",
    "averages": "the averaging: momentum, interval or beginning of EMAHook",
}


def _likely(found: Comparison, a: RunDigests, b: RunDigests) -> str:
    first = found.first[0]
    seeds = a.start.get("seed"), b.start.get("seed")
    if any(thing.a is None or thing.b is None for thing in first.things) and (
        first.kind in ("weights", "optimizer", "gradients")
    ):
        return "the models: some tensors are in one run only"
    if first.iteration == 0:
        return (
            f"the seeds, which differ: {seeds[0]} | {seeds[1]}"
            if seeds[0] != seeds[1]
            else "the weights that training started from: init_cfg, load_from, or layers made "
            "before the seed is set"
        )
    if first.kind in ("generators", "batch") and seeds[0] != seeds[1]:
        return f"the seeds, which differ: {seeds[0]} | {seeds[1]}"
    ranks = len(a.ranks), len(b.ranks)
    if first.kind == "batch" and ranks[0] != ranks[1]:
        return (
            f"the number of ranks, among which the batches are dealt out: {ranks[0]} | {ranks[1]}"
        )
    if found.gap > 1 and first.kind not in ("generators", "batch", "settings"):
        return f"not to be told from records that are {found.gap} iterations apart"
    if "gradients" in found.never or "gradients" in found.later:
        if first.kind == "optimizer":
            return "the optimizer: another implementation or its own state"
        if first.kind == "weights":
            return "something that changes weights besides the optimizer, such as a hook"
    setup = [
        f"{name} {a.start[name]} | {b.start[name]}"
        for name in ("torch", "device", "threads", "world_size")
        if name in a.start and name in b.start and a.start[name] != b.start[name]
    ]
    if setup and first.kind in ("values", "gradients", "optimizer", "weights"):
        return f"what the runs were computed with: {', '.join(setup)}"
    return _LIKELY[first.kind]
