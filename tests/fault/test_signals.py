"""Real signals to real processes: the run saves, leaves with the right code, and continues."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mainspring
from mainspring.checkpoint import verify_file
from prepared_processes import Popen, start_ranks

PROGRAM = Path(__file__).parent / "program.py"
SOURCE = Path(mainspring.__file__).parents[1]
EPOCHS = 4


def start(work_dir, *options, launcher=()):
    # Two processes share the data of an epoch, which is then over in half the time.
    epochs = 4 * EPOCHS if launcher else EPOCHS
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    return Popen(
        [sys.executable, *launcher, str(PROGRAM), str(work_dir), str(epochs), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def wait_for(process, text, after=0.0):
    """Read the output up to a line that holds a text; returns what was read."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            time.sleep(after)
            return "".join(lines)
    raise AssertionError("".join(lines))


def finish(process):
    output, _ = process.communicate(timeout=90)
    return output


def digest_of(output):
    return re.search(r"^digest (\w+)$", output, re.MULTILINE).group(1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The digest of a run that nothing interrupts."""
    return digest_of(finish(start(tmp_path_factory.mktemp("whole"))))


@pytest.mark.parametrize(
    ("name", "codes", "options"),
    [("SIGTERM", (143,), ("workers",)), ("SIGINT", (130, -signal.SIGINT), ("workers",))],
)
def test_the_iteration_is_finished_and_saved(tmp_path, whole, name, codes, options):
    process = start(tmp_path, *options)
    wait_for(process, " 1/4 ", after=0.03)
    os.killpg(process.pid, getattr(signal, name))  # workers get it too
    output = finish(process)
    assert process.returncode in codes
    assert f"{name}: finishing this iteration" in output
    assert verify_file(tmp_path / "interrupted.pth").is_valid
    assert (tmp_path / "last_checkpoint").read_text() == "interrupted.pth"
    resumed = finish(start(tmp_path, "resume", *options))
    assert "from interrupted.pth, at iteration" in resumed
    assert digest_of(resumed) == whole


def is_there(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_worker_outlives_a_process_that_is_killed(tmp_path):
    process = start(tmp_path, "forkserver")
    wait_for(process, " 1/4 ")
    process.kill()
    process.communicate(timeout=10)  # to the end of the output, which workers have open too
    until = time.monotonic() + 10
    while is_there(process.pid):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_the_second_ctrl_c_leaves_at_once(tmp_path):
    process = start(tmp_path)
    wait_for(process, " 1/4 ")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    finish(process)
    assert process.returncode != 0


def test_saving_and_going_on(tmp_path, whole):
    process = start(tmp_path)
    wait_for(process, " 1/4 ")
    for _ in range(2):
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.1)
    output = finish(process)
    assert process.returncode == 0
    assert len(re.findall("SIGUSR1: saving after this iteration", output)) == 2
    assert len(re.findall("saved interrupted.pth after iteration", output)) == 2
    assert digest_of(output) == whole


LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def start_two(work_dir, *options):
    words = [PROGRAM, work_dir, 4 * EPOCHS, "pytorch", *options]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return start_ranks(2, list(map(str, words)), env=environment)


@pytest.fixture(scope="module")
def whole_of_two(tmp_path_factory):
    """The digest of a run of two processes that nothing interrupts."""
    output, _ = map(finish, start_two(tmp_path_factory.mktemp("two")))
    return digest_of(output)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["one process", "the launcher"])
def test_all_processes_stop_after_the_same_iteration(tmp_path, whole_of_two, target):
    if target == "one process":
        processes = start_two(tmp_path)
    else:
        processes = [start(tmp_path, "pytorch", launcher=LAUNCHER)]
    wait_for(processes[0], " 1/16 ", after=0.02)
    processes[-1].send_signal(signal.SIGTERM)
    for process in processes:
        finish(process)
        assert process.returncode != 0
    assert verify_file(tmp_path / "interrupted.pth").is_valid
    resumed, _ = map(finish, start_two(tmp_path, "resume"))
    assert digest_of(resumed) == whole_of_two
