"""`mainspring diverge RUN_A RUN_B`: where two runs part."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import add_verb, tell
from mainspring.columns import in_columns

if TYPE_CHECKING:
    from mainspring.logging.digest_comparison import Comparison, Difference, Thing

__all__ = ["add_parser", "run"]

_DIFFERENT = 1
_MOST_THINGS = 5

_TITLES = {
    "generators": "the random generators",
    "batch": "the batch",
    "values": "the logged values",
    "gradients": "the gradients",
    "settings": "the optimizer's settings",
    "optimizer": "the optimizer's state",
    "weights": "the weights",
    "averages": "the averaged weights",
    "train scalars": "the logged scalars of training",
    "val scalars": "the metrics of validation",
}
_IN_NUMBERS = ("values", "settings", "train scalars", "val scalars")
_PLURAL = ("generators", "values", "gradients", "settings", "weights", "averages")


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    where = "work directory, or log directory in one"
    add_verb(
        verbs,
        "diverge",
        run,
        short="print where two runs part",
        long="Print the first iteration, rank and thing in which two runs differ, from "
        "the digests that they recorded (record_digests=N). Exit with 1 if they do.",
        changes=argparse.SUPPRESS,
        refusal=("diverge takes two runs, but got {!r} as well", None),
        a={"metavar": "RUN_A", "help": where},
        b={"metavar": "RUN_B", "help": where},
    )


def run(options: argparse.Namespace) -> None:
    """Compare two runs.

    Raises:
        ConfigError: The runs have nothing to compare, or words are left over.
        FileNotFoundError: One is no directory of a run.
        SystemExit: They differ; the code is 1.
    """
    compared = _compare(options.a, options.b)
    found = {"equal": not compared.first, **asdict(compared), "gap": compared.gap}
    tell(options, found, "\n".join(_lines(compared)))
    if compared.first:
        raise SystemExit(_DIFFERENT)


def _compare(a: str, b: str) -> Comparison:
    from mainspring.logging.digest_comparison import compare_digests
    from mainspring.logging.digests import digest_files, read_digests
    from mainspring.logging.scalar_comparison import compare_scalars, scalar_files

    for run_dir in (a, b):
        if not Path(run_dir).is_dir():
            raise FileNotFoundError(f"there is no directory {run_dir!r}")
    without = [name for name, run_dir in (("A", a), ("B", b)) if not digest_files(run_dir)]
    if not without:
        return compare_digests(read_digests(a), read_digests(b))
    lacking = f"{' and '.join(without)} recorded no digests"
    for run_dir in (a, b):
        if not scalar_files(run_dir):
            raise FileNotFoundError(
                f"{lacking}, and {run_dir!r} holds no logged scalars: there is nothing to compare"
                if digest_files(run_dir)
                else f"{run_dir!r} holds neither digests nor logged scalars: it is no work "
                "directory of a run, nor the log directory in one"
            )
    compared = compare_scalars(a, b)
    compared.notes.append(
        f"{lacking}, so only logged numbers are compared; train with record_digests = 1 to see "
        "which batch or tensor differs first"
    )
    return compared


def _lines(compared: Comparison) -> list[str]:
    notes = [f"note: {note}" for note in compared.notes]
    if not compared.first:
        return [_equal(compared), *notes]
    first, *others = compared.first
    lines = []
    if compared.equal_until is not None:
        up_to = "up to " if compared.equal_until else "at "
        lines.append(f"runs agree {up_to}{_at(compared.equal_until)}")
    lines.append(_headline(compared, first))
    rows = [(thing.name, _pair(thing, first.kind)) for thing in first.things[:_MOST_THINGS]]
    lines += [f"  {line}" for line in in_columns(rows)]
    if len(first.things) > _MOST_THINGS:
        lines.append(f"  and {len(first.things) - _MOST_THINGS} more of {first.count}")
    if others:
        lines.append(f"  also: {'; '.join(_summary(other, first) for other in others)}")
    if compared.later:
        later = [f"{_TITLES[kind]} at iteration {i}" for kind, i in compared.later.items()]
        lines.append(f"  later: {'; '.join(later)}")
    if compared.never:
        lines.append(f"  never: {', '.join(_TITLES[kind] for kind in compared.never)}")
    lines.append(f"likely: {compared.likely}")
    if compared.gap > 1 and compared.source == "digests":
        lines.append(
            f"next: record each of these {compared.gap} iterations (record_digests = 1), "
            "resuming both runs from a checkpoint before them"
        )
    return lines + notes


def _equal(compared: Comparison) -> str:
    what = "digests" if compared.source == "digests" else "logged numbers"
    text = f"no difference: {what} of {compared.compared} iterations are equal"
    a, b = compared.lasts
    if a != b:
        longer, last = ("A", a) if a > b else ("B", b)
        text += f"; {longer} is longer, up to iteration {last}, the other up to {min(a, b)}"
    return text


def _at(iteration: int) -> str:
    return f"iteration {iteration}" if iteration else "the start of training"


def _headline(compared: Comparison, first: Difference) -> str:
    verb = "differ" if first.kind in _PLURAL or first.kind.endswith("scalars") else "differs"
    place = _at(first.iteration)
    if first.kind == "val scalars":
        place = f"step {first.iteration}"
    elif compared.gap > 1 and compared.equal_until is not None:
        place = f"between {_at(compared.equal_until)}, equal, and {first.iteration}"
    of_rank = f", rank {first.rank}" if compared.source == "digests" else ""
    return f"{place}{of_rank}: {_TITLES[first.kind]} {verb} first"


def _summary(difference: Difference, first: Difference) -> str:
    on_rank = f" on rank {difference.rank}" if difference.rank != first.rank else ""
    if difference.kind in _IN_NUMBERS:
        pairs = [f"{t.name} {_pair(t, difference.kind)}" for t in difference.things[:3]]
        more = len(difference.things) - len(pairs)
        return ", ".join(pairs) + (f" and {more} more" if more else "") + on_rank
    count = len(difference.things)
    title = _TITLES[difference.kind]
    if difference.kind == "generators":
        return f"{title} ({', '.join(thing.name for thing in difference.things)}){on_rank}"
    unit = "parts" if difference.kind == "batch" else "tensors"
    return f"{count} of {difference.count} {unit} of {title}{on_rank}"


def _pair(thing: Thing, kind: str) -> str:
    left, right = _readable(thing.a, kind), _readable(thing.b, kind)
    if left == right and thing.a != thing.b:
        left, right = str(thing.a), str(thing.b)
    return f"{left} | {right}"


def _readable(value: str | None, kind: str) -> str:
    """A number as people write it, with all its digits; other values as they are."""
    if value is None:
        return "missing"
    if kind not in _IN_NUMBERS:
        return value
    try:
        return repr(float.fromhex(value.partition(":")[0]))
    except ValueError:
        return value
