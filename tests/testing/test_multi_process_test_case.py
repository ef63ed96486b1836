"""A test passes when it passes in all of its processes."""

from __future__ import annotations

import sys
import textwrap

import pytest

from prepared_processes import run

FORK = "self._start_processes(torch.multiprocessing.get_context('fork').Process)"
PROGRAM = """
    import os, time, unittest
    import torch
    from mainspring.testing._internal import MultiProcessTestCase

    class Case(MultiProcessTestCase):
        @property
        def timeout(self):
            return {timeout}

        def setUp(self):
            super().setUp()
            {start}

        def prepare_subprocess(self):
            self.world = {{"MASTER_ADDR": "127.0.0.1"}}

        def test_it(self):
            assert self.world and self.is_master == (self.rank == 0)
            {body}

    if __name__ == "__main__":
        unittest.main()
"""


@pytest.fixture
def result(tmp_path):
    def of(body, timeout=100, start=FORK):
        file = tmp_path / "case.py"
        program = textwrap.dedent(PROGRAM).format(body=body, timeout=timeout, start=start)
        file.write_text(program)
        return run([sys.executable, str(file)], capture_output=True, text=True, cwd=tmp_path)

    return of


def test_processes_form_a_group_and_leave_it(result):
    done = result(
        "torch.distributed.init_process_group('gloo', init_method=f'file://{self.file_name}', "
        "rank=self.rank, world_size=2); t = torch.tensor(self.rank + 1); "
        "torch.distributed.all_reduce(t); self.assertEqual(t.item(), 3); "
        "from multiprocessing.util import Finalize; left = torch.distributed.is_initialized; "
        "Finalize(None, lambda: print(f'in a group: {left()}\\n', end=''), exitpriority=0)"
    )
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stderr
    assert "skipped" not in done.stderr
    assert done.stdout == "in a group: False\n" * 2


def test_processes_of_a_runner_test_case_meet_at_the_same_port(result):
    done = result(
        "from mainspring.testing import RunnerTestCase; case = RunnerTestCase('setUp'); "
        "case.setup_dist_env(); case.setup_dist_env(); "
        "store = torch.distributed.FileStore(self.file_name, 2); "
        "store.set(str(self.rank), os.environ['MASTER_PORT']); "
        "self.assertEqual(store.get('0'), store.get('1'))"
    )
    assert done.returncode == 0, done.stderr


def test_a_spawned_process_runs_the_test_afresh(result):
    done = result(
        "self.assertEqual(__name__, '__mp_main__'); print('ran')",
        start="type(self).world_size = 1; self._spawn_processes()",
    )
    assert done.stdout == "ran\n", done.stderr
    assert "OK" in done.stderr


def test_an_error_of_one_process_ends_the_others_and_is_shown(result):
    done = result("assert self.rank == 0, 'rank one is wrong'; time.sleep(60)")
    assert done.returncode == 1
    assert "RuntimeError: Process 1 exited with error code 10 and exception" in done.stderr
    assert "rank one is wrong" in done.stderr


def test_a_skip_is_a_skip(result):
    done = result("self.skipTest('not here')")
    assert "OK (skipped=1)" in done.stderr
    assert "not here" in done.stderr


def test_a_process_that_dies_is_a_failure(result):
    done = result("os._exit(7 * self.rank)")
    assert "exit codes {'process 0': 0, 'process 1': 7}" in done.stderr
    assert done.returncode == 1


def test_a_late_process_is_ended_and_says_where_it_was(result):
    done = result("time.sleep(60 * self.rank)", timeout=0.5)
    assert "RuntimeError: Process 1 timed out after" in done.stderr
    assert "test_it" in done.stderr
    assert done.returncode == 1
