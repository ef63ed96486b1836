"""The distribution that makes `import mmengine` give mainspring in a whole environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SHIM = Path(__file__).parents[2] / "shims" / "mainspring-mmengine"


def with_shim(program, cwd):
    """Run a program as in an environment where the shim's .pth file was read."""
    line = (SHIM / "mainspring_mmengine.pth").read_text()
    return subprocess.run(
        [sys.executable, "-c", f"{line}\n{program}"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(SHIM)},
    )


def test_the_name_gives_mainspring(tmp_path):
    program = (
        "import mmengine, mainspring.config; print(mmengine.Config is mainspring.config.Config)"
    )
    result = with_shim(program, tmp_path)
    assert result.stdout == "True\n", result.stderr


def test_nothing_is_imported_before_somebody_asks(tmp_path):
    result = with_shim("import sys; print('mainspring' in sys.modules)", tmp_path)
    assert result.stdout == "False\n", result.stderr


def test_beside_mmengine_itself_it_refuses_and_names_the_command(tmp_path):
    (tmp_path / "mmengine").mkdir()
    (tmp_path / "mmengine" / "__init__.py").touch()
    result = with_shim("import mmengine", tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        "ImportError: mainspring-mmengine and MMEngine"
    )
    assert "pip uninstall mmengine" in result.stderr
