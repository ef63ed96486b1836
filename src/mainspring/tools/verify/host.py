"""The process that forks a child for each trial, since starting Python and torch takes seconds.

It has no threads of its own and computes nothing, so that a child is like a process started anew.
Jobs come line by line on the standard input; for each, the child's number and then its exit code go
to the standard output.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mainspring.errors import is_user_mistake
from mainspring.tools.process_groups import kill_group
from mainspring.tools.verify.job import OUTPUT, PROBLEM, SAYS_WHERE, Job, NotApplicableError
from mainspring.tools.verify.partial_trials import accumulate, stream
from mainspring.tools.verify.ranks import train_as_rank
from mainspring.tools.verify.training import train

__all__ = ["serve"]

ReadConfig = Callable[[Mapping[str, Any]], Any]

_KINDS = {"train": train, "workers": stream, "accumulation": accumulate, "ranks": train_as_rank}


def serve(read_config: ReadConfig) -> None:
    """Carry out jobs until the standard input ends.

    Args:
        read_config: Called with the request of a job; returns the config.
    """
    # What torch imports late, for the children.
    importlib.import_module("torch._dynamo")
    importlib.import_module("torch.utils.data._utils.worker")
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        job = Job(**json.loads(line))
        with warnings.catch_warnings():
            # Threads that libraries start when they are imported are idle.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            _be_child(job, read_config)
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(child, child)
        print(f"started {child}", flush=True)
        _, status = os.waitpid(child, 0)
        # Data workers of a killed trial would notice only after seconds.
        kill_group(child)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


def _be_child(job: Job, read_config: ReadConfig) -> None:
    """Carry out a job in this process, which ends with it."""
    code = 1
    try:
        with contextlib.suppress(PermissionError):
            os.setpgid(0, 0)
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        output = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        faulthandler.register(SAYS_WHERE)
        code = _carry_out(job, folder, read_config)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _carry_out(job: Job, folder: Path, read_config: ReadConfig) -> int:
    """Do what the job says, and write why that failed or cannot be done; returns the exit code."""
    if job.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.device
    if job.world_size:
        rank, size, port = map(str, (job.rank, job.world_size, job.port))
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": size}
        os.environ |= {"RANK": rank, "LOCAL_RANK": rank}
    try:
        _KINDS[job.kind](partial(read_config, job.request), job)
    except NotApplicableError as error:
        said: dict[str, Any] = {"text": str(error), "headline": str(error), "is_failure": False}
    except BaseException as error:  # noqa: BLE001 - the last frame: the parent shows the error
        traceback.print_exc()
        # A mistake is told by its message, a failure by its traceback.
        text = "".join(traceback.format_exception(error)).rstrip()
        if is_user_mistake(error):
            text = "\n".join([str(error), *getattr(error, "__notes__", [])])
        headline = f"{type(error).__name__}: {error}"
        said = {"text": text, "headline": headline, "is_failure": True}
    else:
        return 0
    (folder / PROBLEM).write_text(json.dumps(said), encoding="utf-8")
    return int(said["is_failure"])
