"""The process that forks a child for each trial, since starting Python and torch takes seconds.

It has no threads of its own and computes nothing, so that a child is like a process started anew.
Jobs come line by line on the standard input; for each, the child's number and then its exit code go
to the standard output.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mainspring.errors import is_user_mistake
from mainspring.verify.job import Job, NotApplicableError

__all__ = ["ERROR", "NOT_APPLICABLE", "OUTPUT", "SAYS_WHERE", "serve"]

OUTPUT = "output.txt"
"""What a trial printed, in its folder."""

ERROR = "error.json"
"""Why a trial failed."""

NOT_APPLICABLE = "not_applicable.txt"
"""Why a trial cannot be made."""

SAYS_WHERE = signal.SIGUSR2
"""Signal upon which a trial prints where each of its threads is."""

ReadConfig = Callable[[Mapping[str, Any]], Any]


def serve(read_config: ReadConfig) -> None:
    """Carry out jobs until the standard input ends.

    Args:
        read_config: Called with the request of a job; returns the config.
    """
    _import_everything()
    for line in sys.stdin:
        job = Job.from_line(line)
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
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


def _import_everything() -> None:
    """What trials need, the parts that torch imports late included."""
    import torch._dynamo
    import torch.utils.data._utils.worker  # noqa: F401 - for the children

    import mainspring.runner
    import mainspring.verify.parts
    import mainspring.verify.ranks
    import mainspring.verify.training  # noqa: F401 - for the children

    gc.collect()
    gc.freeze()


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
    try:
        _set_environment(job)
        _do(job, read_config)
    except NotApplicableError as error:
        (folder / NOT_APPLICABLE).write_text(str(error), encoding="utf-8")
    except BaseException as error:  # noqa: BLE001 - the last frame: the parent shows the error
        traceback.print_exc()
        said = {"headline": f"{type(error).__name__}: {error}", "text": _explain(error)}
        (folder / ERROR).write_text(json.dumps(said), encoding="utf-8")
        return 1
    return 0


def _set_environment(job: Job) -> None:
    if job.device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.device
    if job.world_size:
        os.environ.update(
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(job.port),
            RANK=str(job.rank),
            LOCAL_RANK=str(job.rank),
            WORLD_SIZE=str(job.world_size),
        )


def _do(job: Job, read_config: ReadConfig) -> None:
    from mainspring.verify.parts import accumulate, save_and_load, stream
    from mainspring.verify.ranks import train_as_rank
    from mainspring.verify.training import train

    def read() -> Any:
        return read_config(job.request)

    cfg = read()
    if job.kind == "train":
        runner, batch = train(cfg, job)
        if job.save_and_load:
            _apart(lambda: save_and_load(runner, batch, read, job), job, "loaded")
    elif job.kind == "workers":
        stream(cfg, job)
    elif job.kind == "accumulation":
        accumulate(cfg, job)
    else:
        train_as_rank(cfg, job)


def _apart(function: Callable[[], None], job: Job, name: str) -> None:
    """Do something whose failure is not that of the trial."""
    from mainspring.verify.observation import Observation

    try:
        function()
    except Exception as error:  # noqa: BLE001 - it is shown where the check is
        traceback.print_exc()
        seen = Observation(facts={"problem": f"{type(error).__name__}: {error}"})
        seen.write(Path(job.folder) / name)


def _explain(error: BaseException) -> str:
    """An error as the user should read it: a mistake by its message, a failure by its traceback."""
    if is_user_mistake(error):
        notes: list[str] = getattr(error, "__notes__", [])
        return "\n".join([str(error), *notes])
    return "".join(traceback.format_exception(error)).rstrip()
