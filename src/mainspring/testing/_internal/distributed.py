"""A test case whose tests run in several processes at once, as in torch's own tests."""

from __future__ import annotations

import faulthandler
import os
import sys
import tempfile
import time
import traceback
import types
import unittest
from collections.abc import Callable
from functools import wraps
from multiprocessing import connection
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from torch import multiprocessing

from mainspring.dist import destroy_dist
from mainspring.dist.process_group import free_port

__all__ = ["TEST_SKIPS", "MultiProcessTestCase", "TestSkip"]


class TestSkip(NamedTuple):
    """How a process says that it skips its test, and why."""

    exit_code: int
    message: str


TEST_SKIPS = {
    "backend_unavailable": TestSkip(10, "Skipped because distributed backend is not available."),
    "no_cuda": TestSkip(11, "CUDA is not available."),
    "multi-gpu-2": TestSkip(12, "Need at least 2 CUDA device"),
    "generic": TestSkip(
        13, "Test skipped at subprocess level, look at subprocess log for skip reason"
    ),
}
"""What the exit code of a process means."""

_LONGEST_MESSAGE = 30_000
"""Characters of a traceback that go through a pipe at once, before anybody reads it."""
_GRACE = 5.0
"""Seconds after the timeout in which processes still write where they are."""


class MultiProcessTestCase(unittest.TestCase):
    """Runs each test in `world_size` processes, which are numbered by `rank`.

    A derived class calls `_spawn_processes` in its ``setUp``, after this class's. A test passes
    when it passes in all processes; the first error ends them all and is shown. `file_name` is a
    file that the processes share, for a store of theirs.

    Args:
        method_name: The test.
        methodName: The same, as `unittest` names it.
    """

    MAIN_PROCESS_RANK = -1
    TEST_ERROR_EXIT_CODE = 10
    """Exit code of a process whose test failed."""

    def __init__(self, method_name: str = "runTest", methodName: str = "runTest") -> None:  # noqa: N803 - the name in unittest
        if methodName != "runTest":
            method_name = methodName
        super().__init__(method_name)
        test = getattr(self, method_name, None)
        if test is not None:
            setattr(self, method_name, self.join_or_run(test))
        elif methodName != "runTest":
            raise ValueError(f"no such test method in {type(self)}: {methodName}")

    @property
    def world_size(self) -> int:
        """How many processes there are."""
        return 2

    @property
    def timeout(self) -> int:
        """After how many seconds the processes are ended."""
        return 1000

    @property
    def is_master(self) -> bool:
        """Whether this is the process of rank 0."""
        return self.rank == 0

    def prepare_subprocess(self) -> None:
        """What each process does before its test; nothing unless overridden."""

    def join_or_run(self, fn: Callable[[], Any]) -> Any:
        """A method that waits for the processes in the main process, and runs `fn` in the others.

        Args:
            fn: The test.
        """

        @wraps(fn)
        def wrapper(self: MultiProcessTestCase) -> None:
            if self.rank == self.MAIN_PROCESS_RANK:
                self._join_processes(fn)
            else:
                fn()

        return types.MethodType(wrapper, self)

    def setUp(self) -> None:
        """Prepare to start processes; the derived class starts them."""
        super().setUp()
        self.skip_return_code_checks: list[Callable[[], Any]] = []
        self.processes: list[Any] = []
        self.rank = self.MAIN_PROCESS_RANK
        with tempfile.NamedTemporaryFile(delete=False) as file:
            self.file_name = file.name
        self.pid_to_pipe: dict[int, Any] = {}

    def tearDown(self) -> None:
        """End the processes that are left."""
        super().tearDown()
        self._terminate()
        self.processes = []
        Path(self.file_name).unlink(missing_ok=True)

    def _spawn_processes(self) -> None:
        """Start the processes afresh, without what this one has in memory."""
        self._start_processes(multiprocessing.get_context("spawn").Process)

    def _start_processes(self, proc: Callable[..., Any]) -> None:
        self.processes, port = [], str(free_port())
        for rank in range(int(self.world_size)):
            ours, theirs = multiprocessing.Pipe()
            arguments = (rank, self._testMethodName, self.file_name, theirs)
            process = proc(target=type(self)._run, name=f"process {rank}", args=arguments)
            with mock.patch.dict(os.environ, MASTER_PORT=port):
                process.start()
            self.pid_to_pipe[process.pid] = ours
            self.processes.append(process)

    @classmethod
    def _run(cls, rank: int, test_name: str, file_name: str, parent_pipe: Any) -> None:
        self = cls(test_name)
        self.rank = rank
        self.file_name = file_name
        self.run_test(test_name, parent_pipe)

    def run_test(self, test_name: str, parent_pipe: Any) -> None:
        """Run a test in one of the processes, and end it where the test does not pass.

        Args:
            test_name: Name of the method.
            parent_pipe: Where the traceback of an error is sent.
        """
        faulthandler.dump_traceback_later(self.timeout, exit=False)
        try:
            self.prepare_subprocess()
            getattr(self, test_name)()
        except unittest.SkipTest as skip:
            print(f"process {self.rank} skips {test_name}: {skip}", file=sys.stderr)
            sys.exit(TEST_SKIPS["generic"].exit_code)
        except Exception:  # noqa: BLE001 - the main process raises it again
            parent_pipe.send(traceback.format_exc()[-_LONGEST_MESSAGE:])
            sys.exit(self.TEST_ERROR_EXIT_CODE)
        finally:
            faulthandler.cancel_dump_traceback_later()
            parent_pipe.close()
            destroy_dist()  # threads of a group abort the process if they outlive it

    def _join_processes(self, fn: Callable[[], Any]) -> None:
        start = time.monotonic()
        try:
            self._wait(start + self.timeout + _GRACE)
            lenient = fn in self.skip_return_code_checks
            check = self._check_no_test_errors if lenient else self._check_return_codes
            check(time.monotonic() - start)
        finally:
            for pipe in self.pid_to_pipe.values():
                pipe.close()

    def _wait(self, deadline: float) -> None:
        """Until all processes have ended, or one by an error; the others are ended then."""
        running = {process.sentinel: process for process in self.processes}
        while running and (left := deadline - time.monotonic()) > 0:
            for sentinel in connection.wait(list(running), left):
                process: Any = running.pop(sentinel)
                process.join()
                if process.exitcode == self.TEST_ERROR_EXIT_CODE:
                    running.clear()
                    break
        self._late = list(running.values())
        self._terminate()

    def _terminate(self) -> None:
        for process in self.processes:
            if process.exitcode is None:
                process.terminate()

    def _check_no_test_errors(self, elapsed_time: float) -> None:
        """Raise where the test failed in a process, or a process is late."""
        failed = []
        for rank, process in enumerate(self.processes):
            if process.exitcode == (code := self.TEST_ERROR_EXIT_CODE):
                pipe = self.pid_to_pipe[process.pid]
                said = pipe.recv() if pipe.poll() else "it said nothing"
                failed.append(
                    f"Process {rank} exited with error code {code} and exception:\n{said}"
                )
        if failed:
            raise RuntimeError("\n".join(failed))
        if late := [f"Process {self.processes.index(process)}" for process in self._late]:
            raise RuntimeError(f"{', '.join(late)} timed out after {elapsed_time:.0f} seconds")

    def _check_return_codes(self, elapsed_time: float) -> None:
        """Raise unless the test passed in all processes, or the first of them skipped it."""
        self._check_no_test_errors(elapsed_time)
        codes = {f"process {n}": process.exitcode for n, process in enumerate(self.processes)}
        for skip in TEST_SKIPS.values():
            if codes["process 0"] == skip.exit_code:
                raise unittest.SkipTest(skip.message)
        if any(codes.values()):
            raise self.failureException(f"exit codes {codes}")
