"""How a run that failed is printed: the user's frames, and what is to be done."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from pathlib import Path

import mainspring
from mainspring.errors import MainspringError

__all__ = ["OWN", "has_users_frame", "shown_failure"]

_SWITCH = "MAINSPRING_TRACEBACK"


def shown_failure(error: BaseException) -> str:
    """An error with its traceback, without the frames of this package and of libraries.

    Args:
        error: What ended the run. If no frame but those is in it, nothing is shown of an error that
            says itself what is wrong, one of ours or of the system, and all are shown of one
            that nobody has explained.
    """
    report = traceback.TracebackException.from_exception(error)
    left_out = 0
    is_full = os.environ.get(_SWITCH) == "full"
    is_users = has_users_frame(error)
    if not (is_full or is_users) and isinstance(error, MainspringError | OSError):
        return "".join(f"{note}\n" for note in getattr(error, "__notes__", ()))
    if not is_full and (is_users or getattr(error, "__notes__", None)):
        part: traceback.TracebackException | None = report
        while part is not None:
            kept = [frame for frame in part.stack if _is_users(frame)]
            left_out += len(part.stack) - len(kept)
            part.stack = traceback.StackSummary.from_list(kept)
            part = part.__cause__ or part.__context__
    said = re.sub(r"Traceback \(most recent call last\):\n(?! )", "", "".join(report.format()))
    if left_out:
        said += (
            f"({left_out} frames of mainspring and libraries are left out; {_SWITCH}=full shows "
        )
        said += "them)\n"
    return said


def has_users_frame(error: BaseException) -> bool:
    """Whether code of the user's had a part in an error.

    Args:
        error: The error, raised.
    """
    return any(map(_is_users, traceback.extract_tb(error.__traceback__)))


OWN = str(Path(mainspring.__file__).parent)
"""The directory of this package."""

_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib", "scripts"))


def _is_users(frame: traceback.FrameSummary) -> bool:
    file = os.path.abspath(frame.filename)
    is_library = file.startswith((OWN, *_LIBRARIES)) or "site-packages" in file
    return not is_library and not frame.filename.startswith("<frozen")
