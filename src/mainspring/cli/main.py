"""Entry point of the `mainspring` command: parse the words, then run the verb."""

from __future__ import annotations

import argparse
import os
import re
import select
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn, cast

from mainspring.cli import (
    batch_size_find,
    browse,
    check,
    ckpt,
    convert,
    diff,
    diverge,
    eject,
    evaluate,
    execute,
    export,
    lr_find,
    new,
    plot,
    predict,
    profile,
    report,
    runs,
    schema,
    show,
    summary,
    sweep,
    train,
    verify,
)
from mainspring.cli.common import looks_like_override, refuse_missing_packages
from mainspring.cli.failure import OWN, has_users_frame, shown_failure
from mainspring.errors import as_ours, did_you_mean, is_user_mistake
from mainspring.output import is_terminal, masked, printable
from mainspring.version import __version__

__all__ = ["main"]

USER_MISTAKE = 2
FAILED_RUN = 1
_VERBS: tuple[Any, ...] = (
    train, evaluate, predict, check, show, diff, schema, convert, sweep, ckpt, report, summary,
    browse, plot, runs, verify, diverge, profile, export, eject, new, lr_find, batch_size_find,
    execute,
)  # fmt: skip
"""In the order in which the help lists them."""

_READING = ("check", "show", "diff", "convert", "ckpt", "report", "runs")
READER_GONE = 128 + 13  # as by SIGPIPE


class _Parser(argparse.ArgumentParser):
    """Names what is near to a word that it does not know.

    Attributes:
        verbs: The parsers of the verbs, in `choices`.
    """

    verbs: Any = None

    def error(self, message: str) -> NoReturn:
        choice = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        strange = re.search(r"unrecognized arguments: (\S+)", message)
        near = None
        if choice is not None:
            near = did_you_mean(choice[1], re.findall(r"[\w-]+", choice[2]))
        elif strange is not None:
            near = did_you_mean(strange[1], self._option_string_actions)
        message += f"; {near}" if near else ""
        super().error(message)


def make_parser() -> _Parser:
    """The parser of all verbs; making it imports nothing heavy."""
    parser = _Parser(
        prog="mainspring",
        description="Train, test and continue PyTorch models described in a config.",
    )
    parser.add_argument("--version", action="version", version=f"mainspring {__version__}")
    parser.verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    for module in _VERBS:
        module.add_parser(parser.verbs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Words after the command's name; those of the process by default.

    Returns:
        0, or 2 for a mistake in the command or the config, or 1 for a run that failed; 130 if it
        was interrupted, and 141 if nobody reads its output any more.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["exec"] and words[1:2] not in (["-h"], ["--help"]):
        execute.run(words[1:])  # its words are none of ours
    parser = make_parser()
    options, rest = parser.parse_known_args(words)
    rest = _take_in_words(parser.verbs.choices[options.verb], options, rest)
    strange = [word for word in rest if not looks_like_override(word)]
    if strange:
        parser.verbs.choices[options.verb].error(f"unrecognized arguments: {' '.join(strange)}")
    options.overrides = [*options.overrides, *rest]
    try:
        with _showing_foreign_text(options), _showing_warnings():
            refuse_missing_packages(getattr(options, "allow", ()), words)
            options.run(options)
        print(end="", flush=True)
    except KeyboardInterrupt:
        print("mainspring: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the last frame: every error becomes an exit code
        if isinstance(error, BrokenPipeError) and _reader_has_gone():
            return READER_GONE
        is_missing = isinstance(error, FileNotFoundError) and not has_users_frame(error)
        if is_user_mistake(error) or is_missing:
            print(printable(masked(explain(error))), file=sys.stderr)
            return USER_MISTAKE
        rank, size = (dist.get_rank(), dist.get_world_size()) if (dist := _dist()) else (0, 1)
        of_rank = f" on rank {rank}" if size > 1 else ""
        headline = f"mainspring: the run failed{of_rank}: {_headline(error)}"
        print(printable(masked(shown_failure(error) + headline)), file=sys.stderr)
        return FAILED_RUN
    finally:
        if dist := _dist():
            dist.destroy_dist()  # what a distributed run started
    return 0


def _take_in_words(
    parser: argparse.ArgumentParser, options: argparse.Namespace, rest: list[str]
) -> list[str]:
    """Give words behind options to the argument that takes any number; `argparse` leaves them over.

    Args:
        parser: The parser of the verb.
        options: What it has found; changed.
        rest: The words that it has left over.

    Returns:
        Those that are left over still: all, if an unknown option is among them.
    """
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return _take_in_words(action.choices[getattr(options, action.dest)], options, rest)
    several = [action for action in parser._actions if action.nargs in ("*", "+")]
    positional = [action.dest for action in several if not action.option_strings]
    if not positional or any(word.startswith("-") for word in rest):
        return rest
    taken = [word for word in rest if positional == ["overrides"] or not looks_like_override(word)]
    former = getattr(options, positional[0]) or []
    setattr(options, positional[0], [*former, *taken])
    return [word for word in rest if word not in taken]


class _Printable:
    """Standard output for verbs that print what stands in files: it cannot steer the terminal."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return int(self._stream.write(printable(text, colours=is_terminal(self._stream))))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _showing_foreign_text(options: argparse.Namespace) -> Iterator[None]:
    """Within the block of a verb that runs nothing, control characters are printed as text."""
    if options.verb not in _READING or sys.stdout is None:
        yield
        return
    with redirect_stdout(cast("Any", _Printable(sys.stdout))):
        yield


@contextmanager
def _showing_warnings() -> Iterator[None]:
    """Within the block, a warning of this package is shown as its errors are, without our lines."""
    former = warnings.formatwarning

    def shown(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if category is UserWarning and filename.startswith(OWN):
            return f"warning: {printable(masked(str(message)))}\n"
        return former(message, category, filename, lineno, line)

    warnings.formatwarning = shown
    try:
        yield
    finally:
        warnings.formatwarning = former


def _reader_has_gone() -> bool:
    """Whether nobody reads the output any more, as behind ``| head``; then it goes nowhere."""
    try:
        output = sys.stdout.fileno()
    except (OSError, ValueError):
        return False  # it is kept in memory, as in a notebook
    poll = select.poll()
    poll.register(output, select.POLLOUT)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True


def _dist() -> Any:
    """The package `mainspring.dist`, if anything was imported that uses it."""
    return sys.modules.get("mainspring.dist")


def explain(error: BaseException) -> str:
    """An error as the user should read it: what, where, and what to do, without our frames."""
    ours = as_ours(error)
    notes: list[str] = getattr(error, "__notes__", [])
    if ours is not error and ours.location is not None:  # then the first line has them
        notes = [note for note in notes if not note.startswith(("help: ", "while reading the"))]
    lines = [ours.report(), *notes]
    cause = error.__cause__
    of_parser: str | None = getattr(cause, "problem", None)
    said: Any = of_parser or getattr(cause, "msg", str(cause))
    if cause is not None and said.partition(" (at ")[0] not in ours.message:
        lines.append(f"caused by: {_headline(cause)}")
    return "\n".join(lines)


def _headline(error: BaseException) -> str:
    from mainspring.errors import MainspringError

    if isinstance(error, MainspringError):
        return str(error)
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
