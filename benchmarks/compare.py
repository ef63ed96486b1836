"""Compare training engines: python benchmarks/compare.py [--workload NAME] [--engine NAME].

Each sample is a fresh process. A round measures everything once, in shuffled order; figures are
medians over the rounds, and ratios are medians of the ratios to the bare loop of the same round.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib
import importlib.util
import json
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from report import Sample, table, warnings_about_losses
from sample import ENGINES

HERE = Path(__file__).parent
WORKLOADS = (
    "iteration",
    "logging_scalars",
    "digits",
    "start",
    "checkpoint",
    "resuming",
    "loading",
    "ddp",
    "evaluation",
)
PACKAGES = {
    "bare": "torch",
    "bare_compiled": "torch",
    "ours": "mainspring",
    "mmengine_": "mmengine",
    "ignite_": "ignite",
    "lightning_": "lightning",
    "accelerate_": "accelerate",
    "trainer_": "transformers",
}
ONLY_WHERE_NAMED = ("bare_jsonl", "bare_tensorboard", "ours_async")
SECONDS_ALLOWED = 300


def main() -> None:
    """Measure, print the table, and write the figures where asked."""
    options = _options()
    engines = _installed(options.engine or list(ENGINES))
    jobs = _jobs(options.workload or list(WORKLOADS), engines)
    samples: list[Sample] = []
    order = random.Random(0)
    for number in range(options.rounds):
        order.shuffle(jobs)
        for index, (workload, engine, mode) in enumerate(jobs):
            figures = _measure(workload, engine, mode, options)
            samples.append(Sample(workload, engine, mode, number, figures))
            if options.json:
                _write(options, samples)
            _progress(f"round {number + 1}/{options.rounds}, sample {index + 1}/{len(jobs)}")
    _progress("")
    shown = [name for name in ENGINES if any(sample.engine == name for sample in samples)]
    modules = {name: importlib.import_module(f"workloads.{name}") for name in WORKLOADS}
    print(table(samples, modules, shown))
    for line in warnings_about_losses(samples, modules):
        print(line)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, metavar="NAME")
    parser.add_argument("--engine", nargs="+", choices=ENGINES, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch; default: 1")
    parser.add_argument(
        "--json", metavar="FILE", help="write every sample into a file, as it is measured"
    )
    parser.add_argument("--quick", action="store_true", help="see that all works; figures are poor")
    parser.add_argument(
        "--terminal", action="store_true", help="let samples write to a pseudo-terminal"
    )
    parser.add_argument("--verbose", action="store_true", help="show what failing samples print")
    return parser.parse_args()


def _installed(names: list[str]) -> list[str]:
    found = []
    for name in names:
        package = PACKAGES[ENGINES[name][0]]
        if importlib.util.find_spec(package) is None:
            print(f"{name} is left out: {package} is not installed")
        else:
            found.append(name)
    return found


def _jobs(workloads: list[str], engines: list[str]) -> list[tuple[str, str, str]]:
    """Workload, engine and mode of every sample of a round; the bare loop is always among them."""
    jobs = []
    for name in workloads:
        module = importlib.import_module(f"workloads.{name}")
        for engine in dict.fromkeys(["bare", *engines]):
            special = engine in ONLY_WHERE_NAMED and engine not in getattr(module, "ALSO", ())
            if not special and engine not in getattr(module, "WITHOUT", ()):
                jobs += [(name, engine, mode) for mode in module.MODES]
    return jobs


def _measure(workload: str, engine: str, mode: str, options: argparse.Namespace) -> dict[str, Any]:
    module = importlib.import_module(f"workloads.{workload}")
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        for phase in getattr(module, "PHASES", ("",)):
            result = Path(folder) / "result.json"
            result.unlink(missing_ok=True)
            work_dir = Path(folder) / "work"
            work_dir.mkdir(exist_ok=True)
            order = {
                "workload": workload,
                "engine": engine,
                "mode": mode,
                "phase": phase,
                "quick": options.quick,
                "work_dir": str(work_dir),
                "result": str(result),
            }
            failure = _run(order, getattr(module, "PROCESSES", 1), options)
            if not result.exists():
                return {"failed": failure}
            figures.update(json.loads(result.read_text()))
            if "failed" in figures or "unsupported" in figures:
                break
    return figures


def _run(order: dict[str, Any], processes: int, options: argparse.Namespace) -> str:
    """Run one process, or several under torchrun; returns what to say if it left no result."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(options.threads),
        "MKL_NUM_THREADS": str(options.threads),
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONWARNINGS": "ignore",
    }
    if "PYTHONPATH" in environment:  # samples run in another directory
        paths = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths)
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    order["started"] = time.time()
    command += [str(HERE / "sample.py"), json.dumps(order)]
    with (
        _output(options.terminal) as output,
        subprocess.Popen(
            command,
            env=environment,
            cwd=order["work_dir"],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            _, errors = process.communicate(timeout=SECONDS_ALLOWED)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the workers of torchrun and of loaders too
            return f"no end after {SECONDS_ALLOWED} s"
    if process.returncode and options.verbose:
        print(f"\n{order['workload']} {order['engine']}:\n{errors[-3000:]}", file=sys.stderr)
    return f"ended with code {process.returncode}"


@contextmanager
def _output(on_terminal: bool) -> Iterator[int]:
    """Where a sample writes: a terminal of 120 columns that is read all the time, or a pipe."""
    if not on_terminal:
        yield subprocess.PIPE
        return
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    drain = threading.Thread(target=_read_to_the_end, args=(reader,))
    drain.start()
    try:
        yield writer
    finally:
        os.close(writer)
        drain.join()
        os.close(reader)


def _read_to_the_end(descriptor: int) -> None:
    with suppress(OSError):  # how the other side's closing shows
        while os.read(descriptor, 1 << 16):
            pass


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _write(options: argparse.Namespace, samples: list[Sample]) -> None:
    record = {"machine": _machine(options), "samples": [vars(sample) for sample in samples]}
    Path(options.json).write_text(json.dumps(record, indent=1))


def _machine(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    return {
        "cpus": os.cpu_count(),
        "threads": options.threads,
        "rounds": options.rounds,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "load": os.getloadavg(),
    }


if __name__ == "__main__":
    main()
