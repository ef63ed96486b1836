"""The interpreters that carry out trials are started once for all tests."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import mainspring
from mainspring.tools.verify import Trials


@pytest.fixture(scope="session")
def trials():
    kept = dict(os.environ)
    os.environ.update(PYTHONPATH=str(Path(mainspring.__file__).parents[1]), OMP_NUM_THREADS="1")
    started = Trials([sys.executable, "-m", "mainspring.cli.verify"])
    os.environ.clear()
    os.environ.update(kept)
    with started:
        yield started


@pytest.fixture
def shared_trials(trials, monkeypatch):
    """Lets the command use interpreters that are there already."""
    monkeypatch.setattr("mainspring.tools.verify.Trials", lambda *_: nullcontext(trials))
