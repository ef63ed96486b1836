"""Settings of the process for loading data in several processes."""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
import warnings

__all__ = ["set_multi_processing", "usable_cores"]


def set_multi_processing(
    mp_start_method: str = "fork", opencv_num_threads: int = 0, distributed: bool = False
) -> None:
    """Choose how processes are started and how many threads the libraries use in each.

    Args:
        mp_start_method: How Python starts processes (not on Windows).
        opencv_num_threads: Number of OpenCV's threads, 0 for none beside the caller's; a negative
            number leaves OpenCV alone.
        distributed: Whether this process is one of several on the machine. Then OpenMP and MKL
            use one thread, unless ``OMP_NUM_THREADS`` and ``MKL_NUM_THREADS`` say otherwise.
    """
    if platform.system() != "Windows":
        current = multiprocessing.get_start_method(allow_none=True)
        if current not in (None, mp_start_method):
            warnings.warn(
                f"processes were to be started by {current!r}; mp_start_method={mp_start_method!r} "
                "replaces it. Set mp_start_method in env_cfg.mp_cfg to keep another.",
                stacklevel=2,
            )
        multiprocessing.set_start_method(mp_start_method, force=True)
    if opencv_num_threads >= 0:
        _set_opencv_threads(opencv_num_threads)
    if distributed and "OMP_NUM_THREADS" not in os.environ:
        warnings.warn(
            "OMP_NUM_THREADS is not set and several processes share the machine: each uses 1 "
            "thread. Set OMP_NUM_THREADS to choose.",
            stacklevel=2,
        )
        os.environ["OMP_NUM_THREADS"] = "1"
    if distributed:
        os.environ.setdefault("MKL_NUM_THREADS", "1")


def _set_opencv_threads(count: int) -> None:
    """Set the number in OpenCV if it is loaded, else for when it is: loading takes 0.1 s."""
    cv2 = sys.modules.get("cv2")
    if cv2 is not None:
        cv2.setNumThreads(count)
    else:
        os.environ.setdefault("OPENCV_FOR_THREADS_NUM", str(max(count, 1)))


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
