"""A small part of benchmarks/fault/soak.py: kills at random moments change nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from prepared_processes import run

SOAK = Path(__file__).parents[2] / "benchmarks" / "fault" / "soak.py"


def test_kills_at_random_moments():
    done = run(
        [sys.executable, str(SOAK), "--kills", "8"],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    printed = done.stdout + done.stderr
    for what in ("differing runs", "unreadable checkpoints", "manual steps"):
        assert re.search(rf"^{what} +0 ", printed, re.MULTILINE), printed
    assert re.search(r"^kills +8 ", printed, re.MULTILINE)
    assert done.returncode == 0
