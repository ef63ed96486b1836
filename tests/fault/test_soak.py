"""A small part of benchmarks/fault/soak.py: kills at random moments change nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import mainspring

SOAK = Path(__file__).parents[2] / "benchmarks" / "fault" / "soak.py"


def test_kills_at_random_moments():
    source = str(Path(mainspring.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(SOAK), "--kills", "24"],
        env={**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    printed = done.stdout + done.stderr
    for what in ("differing runs", "unreadable checkpoints", "manual steps"):
        assert re.search(rf"^{what} +0 ", printed, re.MULTILINE), printed
    assert re.search(r"^kills +24 ", printed, re.MULTILINE)
    assert done.returncode == 0
