"""How a run that failed is printed: the user's frames, and what is to be done."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

import mainspring

__all__ = ["shown_failure"]

_SWITCH = "MAINSPRING_TRACEBACK"


def shown_failure(error: BaseException) -> str:
    """An error with its traceback, without the frames of this package and of libraries.

    Args:
        error: What ended the run; if no frame but those is in it, all are shown.
    """
    report = traceback.TracebackException.from_exception(error)
    left_out = 0
    if os.environ.get(_SWITCH) != "full" and any(map(_is_users, report.stack)):
        part: traceback.TracebackException | None = report
        while part is not None:
            kept = [frame for frame in part.stack if _is_users(frame)]
            left_out += len(part.stack) - len(kept)
            part.stack = traceback.StackSummary.from_list(kept)
            part = part.__cause__ or part.__context__
    said = "".join(report.format())
    if left_out:
        said += (
            f"({left_out} frames of mainspring and libraries are left out; {_SWITCH}=full shows "
        )
        said += "them)\n"
    return said


_OWN = str(Path(mainspring.__file__).parent)
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib", "scripts"))


def _is_users(frame: traceback.FrameSummary) -> bool:
    file = os.path.abspath(frame.filename)
    is_library = file.startswith((_OWN, *_LIBRARIES)) or "site-packages" in file
    return not is_library and not frame.filename.startswith("<frozen")
