"""A profile as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mainspring.columns import in_columns, with_unit
from mainspring.tools.profiling.advice import Advice
from mainspring.tools.profiling.measurement import Measurement

__all__ = ["bar", "bytes_as_text", "profile_as_text", "seconds_as_text"]

_BAR = 30
_MODULES = 8


def profile_as_text(m: Measurement, advice: Sequence[Advice]) -> str:
    """A measurement for people.

    Args:
        m: The measurement.
        advice: What to change.
    """
    return "\n".join([*_iteration(m), *_between(m), *_totals(m), *_modules(m), *_advice(advice)])


def seconds_as_text(seconds: float) -> str:
    """A time with three digits in the unit that suits it."""
    if seconds >= 120:
        hours = seconds >= 7200
        return f"{seconds / 3600:.1f} h" if hours else f"{seconds / 60:.1f} min"
    scales = ((0.9995, 1.0, "s"), (0.9995e-3, 1e3, "ms"), (0.0, 1e6, "us"))
    factor, unit = next((by, unit) for least, by, unit in scales if seconds >= least)
    return f"{seconds * factor:.3g} {unit}"


def bytes_as_text(count: float) -> str:
    """An amount of memory with three digits in the unit that suits it."""
    return with_unit(count, ("B", "KiB", "MiB", "GiB"), 1024)


def bar(share: float, width: int = _BAR) -> str:
    """A bar of a length in eighths of a character.

    Args:
        share: Part of the whole width, 0 to 1.
        width: Characters of the whole.
    """
    whole, eighths = divmod(round(min(max(share, 0.0), 1.0) * width * 8), 8)
    return "\u2588" * whole + " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"[eighths].strip()


def _iteration(m: Measurement) -> Iterator[str]:
    yield (
        f"{m.iterations} iterations on {m.device} ({m.device_name}): "
        f"{seconds_as_text(m.median)} each (median), mean {seconds_as_text(m.mean)}"
    )
    if m.setup.batch_size and m.mean:
        yield f"{m.setup.batch_size / m.mean:.4g} samples/s with batches of {m.setup.batch_size}"
    yield ""
    yield f"{'section':<16}{'median':>10}{'mean':>10}{'share':>8}"
    for name, section in m.sections.items():
        yield (
            f"{name:<16}{seconds_as_text(section.median):>10}{seconds_as_text(section.mean):>10}"
            f"{section.share:>8.1%}  {bar(section.share)}".rstrip()
        )
    for name, seconds in m.hooks.items():
        if seconds >= 0.01 * m.mean:
            yield f"  of which {name} {seconds_as_text(seconds)} (in engine)"


def _between(m: Measurement) -> Iterator[str]:
    for name, item in (("validation", m.validation), ("checkpoint", m.checkpoint)):
        if item is None:
            continue
        text = f"{name:<16}{seconds_as_text(item.seconds):>10} each"
        text += f" (from {item.measured:.0%} of it)" if item.measured < 1 else ""
        share = item.per_iteration / m.per_iteration if m.per_iteration else 0.0
        yield f"{text}, {item.rhythm}" + (f": {share:.1%} of the run" if item.every else "")


def _totals(m: Measurement) -> Iterator[str]:
    yield ""
    if m.max_iters > 0:
        whole = seconds_as_text(m.max_iters * m.per_iteration)
        yield f"whole run       about {whole} for {m.max_iters} iterations"
    kind = "allocated on the device" if m.device == "cuda" else "growth of the process"
    yield f"memory peak     {bytes_as_text(m.memory)} ({kind})"
    if m.not_compiled is not None:
        yield f"compiled step   runs without compiling: {m.not_compiled}"
    if m.flops is None:
        yield "FLOPs           not counted" + (" in compiled code" if m.setup.compiled else "")
        return
    yield f"FLOPs           {with_unit(m.flops)}FLOP an iteration, in {m.calls} operators"
    if m.peak is not None and m.achieved is not None:
        yield (
            f"achieved        {with_unit(m.flops / m.mean)}FLOP/s, {m.achieved:.1%} of the "
            f"{with_unit(m.peak.flops_per_second)}FLOP/s of a {m.peak.dtype} matrix product of "
            f"size {m.peak.size}"
        )


def _modules(m: Measurement) -> Iterator[str]:
    if not m.modules:
        return
    yield ""
    yield "slowest modules (forward pass, without the modules inside)"
    rows = [
        (item.name, item.kind, f"{item.seconds * 1e6:>9.0f} us", f"{item.share:>5.1%}")
        for item in m.modules[:_MODULES]
    ]
    for line in in_columns(rows):
        yield f"  {line}"


def _advice(advice: Sequence[Advice]) -> Iterator[str]:
    yield ""
    if not advice:
        yield "nothing stands out that a setting would change"
        return
    yield "most likely to help"
    for number, item in enumerate(advice, 1):
        yield f"{number}. {item.title}: about {item.gain:.0%} less time"
        yield f"   {item.reason}"
        for line in item.lines:
            yield f"   {line}"
