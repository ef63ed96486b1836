"""Entry point of the `mainspring` command: parse the words, then run the verb."""

from __future__ import annotations

import argparse
import os
import select
import sys
import traceback
from collections.abc import Sequence

from mainspring.cli import (
    batch_size_find,
    check,
    ckpt,
    convert,
    diff,
    diverge,
    lr_find,
    profile,
    show,
    sweep,
    test,
    train,
    verify,
)
from mainspring.cli.common import looks_like_override
from mainspring.errors import is_user_mistake
from mainspring.version import __version__

__all__ = ["main"]

USER_MISTAKE = 2
FAILED_RUN = 1
READER_GONE = 128 + 13  # as by SIGPIPE


def make_parser() -> argparse.ArgumentParser:
    """The parser of all verbs; making it imports nothing heavy."""
    parser = argparse.ArgumentParser(
        prog="mainspring",
        description="Train, test and continue PyTorch models described in a config.",
    )
    parser.add_argument("--version", action="version", version=f"mainspring {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    train.add_parser(verbs)
    test.add_parser(verbs)
    check.add_parser(verbs)
    show.add_parser(verbs)
    diff.add_parser(verbs)
    convert.add_parser(verbs)
    sweep.add_parser(verbs)
    ckpt.add_parser(verbs)
    verify.add_parser(verbs)
    diverge.add_parser(verbs)
    profile.add_parser(verbs)
    lr_find.add_parser(verbs)
    batch_size_find.add_parser(verbs)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Words after the command's name; those of the process by default.

    Returns:
        0, or 2 for a mistake in the command or the config, or 1 for a run that failed; 130 if it
        was interrupted, and 141 if nobody reads its output any more.
    """
    parser = make_parser()
    options, rest = parser.parse_known_args(arguments)
    strange = [word for word in rest if not looks_like_override(word)]
    if strange:
        parser.error(f"unrecognized arguments: {' '.join(strange)}")
    options.overrides = [*options.overrides, *rest]
    try:
        options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("mainspring: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - the last frame: every error becomes an exit code
        if isinstance(error, BrokenPipeError) and _reader_has_gone():
            return READER_GONE
        if is_user_mistake(error) or isinstance(error, FileNotFoundError):
            print(explain(error), file=sys.stderr)
            return USER_MISTAKE
        traceback.print_exc()
        print(f"mainspring: the run failed: {_headline(error)}", file=sys.stderr)
        return FAILED_RUN
    finally:
        _leave_process_group()
    return 0


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


def _leave_process_group() -> None:
    """End what a distributed run started, if there was one."""
    dist = sys.modules.get("mainspring.dist")
    if dist is not None:
        dist.destroy_dist()


def explain(error: BaseException) -> str:
    """An error as the user should read it: what, where, and what to do, without our frames."""
    lines = [f"error: {_headline(error)}", *getattr(error, "__notes__", [])]
    cause = error.__cause__
    if cause is not None:
        lines.append(f"caused by: {_headline(cause)}")
    return "\n".join(lines)


def _headline(error: BaseException) -> str:
    from mainspring.errors import MainspringError

    if isinstance(error, MainspringError | FileNotFoundError):
        return str(error)
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
