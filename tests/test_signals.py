"""Handlers of signals for the time of a block."""

from __future__ import annotations

import signal

from mainspring.signals import handling


def test_behind_the_block_signals_are_answered_as_before(monkeypatch):
    def ours(*_):
        pass

    before = signal.getsignal(signal.SIGUSR1)
    with handling([signal.SIGUSR1], ours):
        assert signal.getsignal(signal.SIGUSR1) is ours
    assert signal.getsignal(signal.SIGUSR1) is before
    # None is what was set from outside of Python.
    handlers = []
    monkeypatch.setattr(signal, "signal", lambda number, handler: handlers.append(handler))
    with handling([signal.SIGUSR1], ours):
        pass
    assert handlers == [ours, signal.SIG_DFL]
