"""Processes of Python that have imported torch and mainspring before they are asked for.

`run` and `Popen` are those of `subprocess`, for command lines that begin with `sys.executable`. A
server, started when first needed, has the heavy modules loaded and forks a child for each process:
it begins in milliseconds rather than seconds, with its own working directory, environment,
arguments, streams, session and exit status. What is left of the server in it is what importing
those modules does. Where the start itself is tested, or the environment is to act before them
(``OMP_NUM_THREADS``, another copy of a package in ``PYTHONPATH``), use `subprocess`.

`start_ranks` and `run_ranks` start several such processes that find each other as ``torchrun``
would have it.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import inspect
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["Popen", "run", "run_ranks", "start_ranks"]

_REQUEST = 400_000
"""Bytes of the largest request: program text and environment."""
_PREPARED = (
    "mainspring.cli.train",
    "mainspring.cli.evaluate",
    "mainspring.runner",
    "mainspring.hooks",
    "mainspring.optim",
    "mainspring.evaluator",
    "mainspring.visualization",
    "torch._dynamo",  # what wraps a model for several processes imports it
    "torch.distributed.fsdp",
    "torch.utils.data.dataloader",
)
_ARGUMENTS_OF_CHILD = list(inspect.signature(subprocess.Popen._execute_child).parameters)[1:]


class Popen(subprocess.Popen[Any]):
    """`subprocess.Popen`, forked from a process that is prepared."""

    _answer: socket.socket | None = None

    def _execute_child(self, *arguments: Any) -> None:
        given = dict(zip(_ARGUMENTS_OF_CHILD, arguments, strict=True))
        words = [os.fspath(word) for word in given["args"]]
        assert words[0] == sys.executable, f"{words[0]} is not the Python of the tests"
        assert not given["preexec_fn"]
        assert not given["shell"]
        environment = dict(os.environ if given["env"] is None else given["env"])
        request = {
            "words": words[1:],
            "folder": os.path.abspath(given["cwd"] or os.getcwd()),
            "environment": environment,
            "new_session": given["start_new_session"],
        }
        streams = [
            standard if wanted == -1 else wanted
            for standard, wanted in enumerate(
                (given["p2cread"], given["c2pwrite"], given["errwrite"])
            )
        ]
        self._answer, theirs = socket.socketpair()
        with theirs:
            _server().send(json.dumps(request).encode(), [*streams, theirs.fileno()])
        self.pid = int(self._answer.recv(20))
        self._child_created = True
        parents = {given["p2cread"], given["c2pwrite"], given["errwrite"]} - {-1}
        for number in parents:
            os.close(number)

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        assert self._answer is not None
        self._answer.setblocking(not wait_flags & os.WNOHANG)
        try:
            status = self._answer.recv(20)
        except BlockingIOError:
            return 0, 0
        self._answer.close()
        return self.pid, int(status) if status else 1 << 8

    def _internal_poll(self, _deadstate: int | None = None, **_: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


def run(
    arguments: Sequence[Any],
    *,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run`, with a prepared process."""
    if input is not None:
        options["stdin"] = subprocess.PIPE
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(arguments, **options) as process:
        try:
            output, errors = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    result = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    if check:
        result.check_returncode()
    return result


def start_ranks(
    count: int, words: Sequence[Any], *, env: dict[str, str] | None = None, **options: Any
) -> list[Popen]:
    """Start one program in several processes that find each other as those of ``torchrun`` do.

    Args:
        count: Number of processes.
        words: What follows ``python``.
        env: The environment; that of the test by default.
        **options: As of `Popen`.

    Returns:
        The processes by rank, whose two streams come together in ``stdout``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {**(os.environ if env is None else env), "WORLD_SIZE": str(count)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return [
        Popen(
            [sys.executable, *words],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            **streams,
            **options,
        )
        for rank in range(count)
    ]


def run_ranks(
    count: int, words: Sequence[Any], *, timeout: float = 100, **options: Any
) -> list[subprocess.CompletedProcess[str]]:
    """Run one program in several processes, see `start_ranks`.

    Args:
        count: Number of processes.
        words: What follows ``python``.
        timeout: Seconds after which the test has failed.
        **options: As of `start_ranks`.

    Returns:
        The ended processes by rank.
    """
    processes = start_ranks(count, words, **options)
    try:
        outputs = [process.communicate(timeout=timeout)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [
        subprocess.CompletedProcess(process.args, process.returncode, output)
        for process, output in zip(processes, outputs, strict=True)
    ]


class _Server:
    """The process that forks the others, seen from the test's side."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _REQUEST)
        self._turn = threading.Lock()
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env={**environment, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    def send(self, request: bytes, files: list[int]) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
        with self._turn:
            self._requests.sendmsg([request], ancillary)

    def close(self) -> None:
        self._requests.close()
        self._process.wait()


_running: _Server | None = None


def _server() -> _Server:
    global _running
    if _running is None:
        _running = _Server()
    return _running


def _serve(requests: socket.socket) -> dict[str, Any]:
    """Fork a child for each request; returns in the child, with the request."""
    events = selectors.DefaultSelector()
    events.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in events.select():
            if key.fileobj is not requests:
                process, pid, answer = key.data
                events.unregister(process)
                os.close(process)
                with answer, contextlib.suppress(OSError):  # the test may not care any more
                    answer.send(str(os.waitpid(pid, 0)[1]).encode())
                continue
            text, files, *_ = socket.recv_fds(requests, _REQUEST, 4)
            if not text:
                sys.exit()
            pid = os.fork()
            if pid == 0:
                open_files = [key.fd for key in events.get_map().values()]
                answers = [key.data[2].detach() for key in events.get_map().values() if key.data]
                events.close()
                requests.detach()
                for number in (*open_files, *answers, files[3]):
                    os.close(number)
                for standard, number in enumerate(files[:3]):
                    os.dup2(number, standard)
                    os.close(number)
                request: dict[str, Any] = json.loads(text)
                return request
            answer = socket.socket(fileno=files[3])
            answer.send(str(pid).encode())
            for number in files[:3]:
                os.close(number)
            process = os.pidfd_open(pid)
            events.register(process, selectors.EVENT_READ, (process, pid, answer))


def _become(request: dict[str, Any], search_path: list[str]) -> list[str]:
    """Take over session, folder, environment and import path; returns the words after python."""
    if request["new_session"]:
        os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    words: list[str] = request["words"]
    first = str(Path(words[0]).resolve().parent) if not words[0].startswith("-") else ""
    first = os.getcwd() if words[0] == "-m" else first
    added = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    # Programs import from the test that they are of, which imports this module.
    sys.path[:] = [first, *added, *search_path, str(Path(__file__).parent)]
    if sys.stdout.isatty():
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    import numpy as np

    np.random.seed()
    return words


if __name__ == "__main__":
    import importlib
    import runpy
    import types
    import warnings

    from large_pages import use_large_pages

    _path = sys.path[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _name in _PREPARED:
            importlib.import_module(_name)
    use_large_pages()
    _words = _become(_serve(socket.socket(fileno=int(sys.argv[1]))), _path)
    # The interpreter ends as it always does, also with an error.
    if _words[0] == "-c":
        sys.argv = ["-c", *_words[2:]]
        _main = types.ModuleType("__main__")
        sys.modules["__main__"] = _main
        exec(compile(_words[1], "<string>", "exec"), _main.__dict__)
    elif _words[0] == "-m":
        sys.argv = [_words[1], *_words[2:]]
        runpy.run_module(_words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(_words)
        runpy.run_path(_words[0], run_name="__main__")
