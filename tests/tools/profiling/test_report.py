"""How numbers are shown."""

from __future__ import annotations

import pytest

from mainspring.tools.profiling.report import bar, bytes_as_text, seconds_as_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 us"),
        (12.3e-6, "12.3 us"),
        (0.0421, "42.1 ms"),
        (0.9999, "1 s"),
        (0.999, "999 ms"),
        (59.94, "59.9 s"),
        (119, "119 s"),
        (180, "3.0 min"),
        (7200, "2.0 h"),
    ],
)
def test_seconds(seconds, text):
    assert seconds_as_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (2048, "2 KiB"), (5 * 2**20, "5 MiB"), (3 * 2**31, "6 GiB")]
)
def test_bytes(count, text):
    assert bytes_as_text(count) == text


@pytest.mark.parametrize(("share", "shown"), [(0, ""), (0.5, "██"), (1.5, "████"), (0.28, "█▏")])
def test_bars(share, shown):
    assert bar(share, width=4) == shown
