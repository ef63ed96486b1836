"""Print what the changelog says of a version: python scripts/release_notes.py 0.2.0.

Fails where version, changelog and citation do not agree, so that nothing is released by half.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def notes(version: str) -> str:
    """The section of a version.

    Args:
        version: Such as ``0.2.0``.

    Raises:
        SystemExit: The package or the citation has another version, or the section is missing.
    """
    for name, pattern in (
        ("src/mainspring/version.py", r'__version__ = "(.+)"'),
        ("CITATION.cff", r"^version: (.+)$"),
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        (found,) = re.findall(pattern, text, re.MULTILINE)
        if found != version:
            raise SystemExit(f"{name} has version {found}, not {version}")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        title, _, text = section.partition("\n")
        if title.split()[0].strip("[]") == version:
            return text.strip()
    raise SystemExit(f"CHANGELOG.md has no section '## {version}': rename 'Unreleased'")


if __name__ == "__main__":
    print(notes(sys.argv[1].removeprefix("v")))
