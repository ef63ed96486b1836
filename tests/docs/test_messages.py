"""The messages that the docs explain are those that the source has."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def texts():
    sys.path.insert(0, str(ROOT / "scripts"))
    from message_list import GAP, messages

    found = list(messages())
    assert len(found) > 500
    assert all(GAP in one.text or one.text for one in found)
    return [one.text for one in found]


@pytest.mark.parametrize("page", ["messages.md", "zh/messages.md"])
def test_each_message_of_the_page_is_in_the_source(texts, page):
    path = ROOT / "docs" / page
    if not path.exists():
        pytest.skip("not translated")
    quoted = re.findall(r"^\| `(.+?)` \|", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(quoted) > 30
    for message in quoted:
        pattern = r".*".join(re.escape(part) for part in message.split("..."))
        assert any(re.match(pattern, text) for text in texts), message
