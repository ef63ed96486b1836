"""A bar on a terminal, and nothing at all elsewhere."""

import os
import pty
import re
import subprocess
import sys

import pytest

from mainspring.logging import ProgressDisplay

PROGRAM = """
import sys, time
from mainspring.logging import MMLogger, ProgressDisplay
logger = MMLogger.get_instance("run")
display = ProgressDisplay()
display.start(20, "train", 5)
for step in range(5, 20):
    display.update(step + 1, f"loss [0.{step}]")
    if step % 5 == 4:
        logger.info(f"line {step} [with] :smile: brackets and 12.5")
    time.sleep(0.03)
display.stop()
display.update(3)
logger.info("after")
{end}
"""


def on_a_terminal(end=""):
    """What a program writes to a terminal of 100 columns."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "LINES": "30", "TERM": "xterm-256color"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("{end}", end)],
        stdout=slave,
        stderr=slave,
        stdin=slave,
        env=environment,
    ) as process:
        os.close(slave)
        written = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            if not chunk:
                break
            written += chunk
        assert process.wait() == 0
    os.close(master)
    return written.decode()


def screen(written):
    """The lines that stand on the screen in the end, of the control codes that rich uses."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if token == "\r":
            column = 0
        elif token == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif token.endswith("A"):
            row -= int(token[2:-1] or 1)
        elif token.endswith("K"):
            lines[row] = ""
        elif not token.startswith("\x1b"):
            old = lines[row].ljust(column)
            lines[row] = old[:column] + token + old[column + len(token) :]
            column += len(token)
    return [line.rstrip() for line in lines if line.strip()]


def test_log_lines_stand_above_the_bar_and_the_bar_goes_away():
    written = on_a_terminal()
    assert "train" in written
    assert "/20" in written
    assert re.search(r"loss \[0\.\d+\]", written)
    lines = [line.split(" - INFO - ")[-1] for line in screen(written)]
    assert lines == [
        *(f"line {step} [with] :smile: brackets and 12.5" for step in (9, 14, 19)),
        "after",
    ]
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") > 0


def test_the_cursor_comes_back_when_the_program_ends_early():
    written = on_a_terminal("display.start(9, 'train'); sys.exit()")
    assert written.rstrip().count("\x1b[?25h") == written.count("\x1b[?25l") == 2


def test_nothing_is_shown_elsewhere(capsys):
    display = ProgressDisplay()
    display.start(10, "train")
    display.update(3, "x")
    display.stop()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("enabled", [True, None, False])
def test_nothing_is_shown_on_other_ranks(monkeypatch, enabled):
    module = sys.modules["mainspring.logging.progress_display"]
    monkeypatch.setattr(module, "is_main_process", lambda: False)
    assert not ProgressDisplay(enabled).enabled


def test_an_unknown_total_and_a_second_start_are_no_mistakes():
    written = on_a_terminal(
        "display.start(0, 'first'); display.update(4); display.start(3, 'second'); "
        "display.update(2); display.stop(); display.stop(); logger.info('ended')"
    )
    assert -1 < written.find("first") < written.find("second") < written.find("ended")
    assert written.count("\x1b[?25h") == written.count("\x1b[?25l") == 3
