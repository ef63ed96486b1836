"""Trains variants of the matrix, each in a process of its own that may be killed.

One process, itself a prepared one, imports what is missing and forks a child for each training. It
has no threads and computes nothing itself. `Trainings` is its client.
"""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from large_pages import use_large_pages
from prepared_processes import Popen
from unsynced import leave_writing_to_the_system

__all__ = ["Trainings", "logged_values", "output_of"]

REPORT = "report.json"
HANGS = 124
CODES = {"SIGTERM": 143, "SIGINT": 130}
"""What a training exits with that was asked to leave."""
LIMIT = 60.0
"""Seconds after which a training hangs; its stacks are written to its output then."""


class Trainings:
    """The process that forks trainings; a context manager.

    Args:
        wait_for_disk: Whether checkpoints are to have reached the disk before a training goes on.
    """

    def __init__(self, *, wait_for_disk: bool = False) -> None:
        self._process = Popen(
            [sys.executable, __file__, *(["wait_for_disk"] if wait_for_disk else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(
        self,
        variant: str,
        work_dir: str | Path,
        *,
        kill_at: int | None = None,
        kill_after: float | None = None,
        signal_at: tuple[str, int, int, int] | None = None,
        kill_worker_at: int | None = None,
        resume: bool = False,
        ballast: int = 0,
    ) -> dict[str, Any] | None:
        """Train a variant.

        Args:
            variant: Its name in the matrix.
            work_dir: Where.
            kill_at: Iteration after which all processes of the training kill themselves.
            kill_after: Seconds after which they are killed, in the middle of anything.
            signal_at: A signal, and the iteration, the batch of the validation that follows it
                (-1 for before it), and the rank at which a process sends it to itself.
            kill_worker_at: Iteration after which one of the processes that load data is killed.
            resume: Whether to continue what is in `work_dir`.
            ballast: Megabytes that make checkpoints larger, and their writing longer.

        Returns:
            What the training left, or ``None`` if it was killed or left as the signal asks.

        Raises:
            RuntimeError: It failed; with its output.
        """
        job = {"variant": variant, "work_dir": str(work_dir), "kill_at": kill_at,
               "kill_after": kill_after, "signal_at": signal_at, "resume": resume,
               "kill_worker_at": kill_worker_at, "ballast": ballast}  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        codes = json.loads(self._process.stdout.readline())
        if codes == [0] * len(codes):
            report: dict[str, Any] = json.loads(Path(work_dir, REPORT).read_text())
            return report
        if -signal.SIGKILL in codes and (kill_at is not None or kill_after is not None):
            return None
        if signal_at and codes == [CODES.get(signal_at[0])] * len(codes):
            return None
        raise RuntimeError(f"{variant} exits with {codes}:\n{output_of(work_dir)}")


def output_of(work_dir: str | Path) -> str:
    """All that the trainings in a directory printed."""
    return "".join(
        f"--- {path.name}\n{path.read_text()}" for path in sorted(Path(work_dir).glob("output-*"))
    )


def logged_values(work_dir: str | Path) -> dict[str, dict[str, str]]:
    """All logged scalars by kind and step, in hexadecimal; of a step that repeats, the later."""
    values: dict[str, dict[str, str]] = {}
    for path in sorted(Path(work_dir).glob("*/vis_data/scalars.json")):
        # The last line may have been cut off by the kill.
        for line in path.read_text().splitlines(keepends=True):
            if not line.endswith("\n"):
                continue
            record = json.loads(line)
            kept = {
                name: float(value).hex() if isinstance(value, int | float) else str(value)
                for name, value in record.items()
                if not name.endswith(("time", "memory"))
            }
            kind = "train" if "loss_now" in record else "val"
            values[f"{kind} {record['step']}"] = kept
    return values


def digest(value: Any) -> str:
    """A digest of nested containers of tensors and numbers, exact to the last bit."""
    found = hashlib.sha256()
    _add(found, value)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:
    import torch

    if isinstance(value, torch.Tensor):
        found.update(f"{value.dtype}{tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
                     if value.dim() else struct.pack("d", value.item()))  # fmt: skip
    elif isinstance(value, Mapping):
        for key, item in value.items():
            found.update(f"{key}:".encode())
            _add(found, item)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        found.update(f"[{len(value)}".encode())
        for item in value:
            _add(found, item)
    elif isinstance(value, float):
        found.update(struct.pack("d", value))
    else:
        found.update(repr(value).encode())


def serve() -> None:
    """Fork a child for each line of the standard input, and print how it ended."""
    _import_everything()
    for line in sys.stdin:
        job = json.loads(line)
        codes = _carry_out(job)
        print(json.dumps(codes), flush=True)


def _import_everything() -> None:
    """What the children need, the parts that torch imports late included; nothing is computed."""
    import matrix
    import torch
    import torch._dynamo
    import torch.distributed.elastic
    import torch.nn.parallel
    import torch.utils.data._utils.worker

    parameter = torch.nn.Parameter(torch.zeros(1))
    torch.optim.SGD([parameter]).step()
    assert matrix.VARIANTS
    use_large_pages()


def _carry_out(job: dict[str, Any]) -> list[int]:
    import matrix

    ranks = matrix.RANKS[job["variant"]]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    group = 0
    children = []
    for rank in range(ranks):
        child = os.fork()
        if child == 0:
            _be_child(job, rank, ranks, port)
        os.setpgid(child, group)
        group = group or child
        children.append(child)
    codes = _wait_for(children, job["kill_after"])
    # Workers of a killed process would notice only after seconds.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return codes


def _wait_for(children: list[int], seconds: float | None) -> list[int]:
    """The exit codes; once one fails or time is up, the others are killed."""
    begin = time.monotonic()
    codes: dict[int, int] = {}
    while len(codes) < len(children):
        for child in set(children) - set(codes):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                codes[child] = os.waitstatus_to_exitcode(status)
        running = set(children) - set(codes)
        took = time.monotonic() - begin
        if took > LIMIT:
            _end(running, signal.SIGUSR2)
            time.sleep(1)
            _end(running, signal.SIGKILL)
            return [HANGS]
        if set(codes.values()) - {0, *CODES.values()} or (seconds is not None and took > seconds):
            _end(running, signal.SIGKILL)
        time.sleep(0.001)
    return [codes[child] for child in children]


def _end(children: set[int], number: int) -> None:
    for child in children:
        os.kill(child, number)


def _be_child(job: dict[str, Any], rank: int, ranks: int, port: int) -> None:
    code = 1
    try:
        work_dir = Path(job["work_dir"])
        work_dir.mkdir(parents=True, exist_ok=True)
        number = len(list(work_dir.glob(f"output-*-{rank}")))
        output = os.open(work_dir / f"output-{number:03}-{rank}", os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        faulthandler.register(signal.SIGUSR2)
        items = work_dir / f"items-{number}-{rank}"
        counter = os.open(items, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.environ["LOADED_ITEMS"] = str(counter)
        if ranks > 1:
            os.environ.update(
                MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank),
                LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks),
            )  # fmt: skip
        report = _train(job, "pytorch" if ranks > 1 else "none", items)
        if report:
            (work_dir / REPORT).write_text(json.dumps(report))
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    except KeyboardInterrupt:
        code = CODES["SIGINT"]
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _train(job: dict[str, Any], launcher: str, items: Path) -> dict[str, Any]:
    import multiprocessing

    import matrix
    import torch

    from mainspring.dist import is_main_process
    from mainspring.hooks import Hook
    from mainspring.runner import Runner

    class Kill(Hook):
        priority = 100
        slow = 0

        def before_train(self, runner: Any) -> None:
            self.first = runner.iter

        def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
            if job["ballast"]:
                checkpoint["ballast"] = torch.zeros(job["ballast"] << 18)

        def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
            if runner.iter + 1 == job["kill_at"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if runner.iter + 1 == job["kill_worker_at"]:
                worker = multiprocessing.active_children()[0].pid
                print("kills worker", worker, flush=True)
                os.kill(worker, signal.SIGKILL)
            moment = [runner.iter + 1, -1, runner.rank]
            self.send_signal(moment)
            if job["signal_at"] and job["signal_at"][1:] == moment:
                self.slow = 3

        def before_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
            # While the others hear of the signal, they get ahead if nothing holds them.
            if self.slow:
                time.sleep(0.6)
                self.slow -= 1

        def after_val_iter(self, runner: Any, batch_idx: int, *_: Any, **__: Any) -> None:
            self.send_signal([runner.iter, batch_idx, runner.rank])

        def send_signal(self, moment: list[int]) -> None:
            if job["signal_at"] and job["signal_at"][1:] == moment:
                os.kill(os.getpid(), getattr(signal, job["signal_at"][0]))

    torch.manual_seed(0)
    arguments = matrix.VARIANTS[job["variant"]]()
    runner = Runner(**arguments, work_dir=job["work_dir"], resume=job["resume"], launcher=launcher)
    kill = Kill()
    runner.register_hook(kill)
    runner.train()
    return _report(runner, kill.first, items) if is_main_process() else {}


def _report(runner: Any, first: int, items: Path) -> dict[str, Any]:
    """What must be the same after an interruption, and what the last process did of it."""
    from mainspring.checkpoint import load_file
    from mainspring.hooks import EMAHook
    from mainspring.rng.states import RandomStates

    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):
        schedulers = [item for items in schedulers.values() for item in items]
    averages = [hook.ema_model.state_dict() for hook in runner.hooks if isinstance(hook, EMAHook)]
    files = sorted(Path(runner.work_dir).glob("*.pth"))
    return {
        "weights": digest(runner.model.state_dict()),
        "optimizer": digest(runner.optim_wrapper.state_dict()),
        "averages": digest(averages),
        "schedulers": digest([scheduler.state_dict() for scheduler in schedulers]),
        "generators": digest(RandomStates.capture().state_dict()),
        "files": {path.name: digest(load_file(path)["state_dict"]) for path in files},
        "first": first,
        "last": runner.iter,
        "loaded": items.stat().st_size,
        "by_epoch": runner.train_loop.by_epoch,
        "workers": getattr(runner.train_dataloader, "num_workers", 0),
        "batch_size": getattr(runner.train_dataloader, "batch_size", None),
    }


if __name__ == "__main__":
    if "wait_for_disk" not in sys.argv:
        leave_writing_to_the_system()
    serve()
