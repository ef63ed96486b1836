"""`mainspring exec`: Python's own arguments and exit codes, where `import mmengine` gives us."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHOW = "import sys, mmengine\nprint(mmengine.__version__, sys.argv, __name__, __file__)\n"


def execute(*words, **kwargs):
    command = [sys.executable, "-m", "mainspring", "exec", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **kwargs)


def test_a_script(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SHOW + "import beside\n")
    (tmp_path / "beside.py").write_text("print('found')\n")
    result = execute(script, "--help", "a=1", "--", "-m")
    expected = f"0.10.7 {[str(script), '--help', 'a=1', '--', '-m']} __main__ {script}\nfound\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, expected, "")


def test_a_module(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__main__.py").write_text(SHOW)
    main = tmp_path / "package" / "__main__.py"
    result = execute("-m", "package", "x", cwd=tmp_path)
    assert result.stdout == f"0.10.7 {[str(main), 'x']} __main__ {main}\n"


def test_code():
    assert execute("-c", "import mmengine; print(mmengine.__version__)").stdout == "0.10.7\n"


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('words')", 1),
        ("raise ValueError('words')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
)
def test_exit_codes_are_pythons(ending, code):
    program = "import sys, mmengine\n" + ending
    plain = subprocess.run(
        [sys.executable, "-c", program.replace(", mmengine", "")], capture_output=True
    )
    assert execute("-c", program).returncode == code == plain.returncode


def test_a_traceback_begins_in_the_script(tmp_path):
    script = tmp_path / "fails.py"
    script.write_text("raise ValueError('words')\n")
    lines = execute(script).stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{script}", line 1, in <module>'
    assert lines[-1] == "ValueError: words"


def test_nothing_to_run_is_a_mistake():
    result = execute()
    assert (result.returncode, result.stdout) == (2, "")
    assert "give a script" in result.stderr
    assert execute("/nowhere/at/all.py").returncode == 2
