"""Versions as tuples that compare, and the commit that is checked out."""

from __future__ import annotations

import re
import subprocess

from mainspring.errors import ArgumentValueError

__all__ = ["digit_version", "get_git_hash"]

# The grammar of PEP 440, spellings that it normalises included.
_VERSION = re.compile(
    r"""
    v? (?: [0-9]+ ! )?
    (?P<release> [0-9]+ (?: \. [0-9]+ )* )
    (?: [-_.]? (?P<pre> alpha | beta | preview | pre | rc | a | b | c )
        [-_.]? (?P<pre_number> [0-9]* ) )?
    (?: - (?P<short_post> [0-9]+ )
      | [-_.]? (?P<post> post | rev | r ) [-_.]? (?P<post_number> [0-9]* ) )?
    (?: [-_.]? (?P<dev> dev ) [-_.]? [0-9]* )?
    (?: \+ [a-z0-9]+ (?: [-_.] [a-z0-9]+ )* )?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_PRE_RELEASE_RANK = {"a": -3, "b": -2, "c": -1, "r": -1, "p": -1}


def digit_version(version_str: str, length: int = 4) -> tuple[int, ...]:
    """A version as a tuple of integers, to be compared with others.

    After the release numbers stand two more: rank and number of a pre- or post-release. The rank is
    -3 for alpha, -2 for beta, -1 for a release candidate, -4 for a development version, 1 for a
    post-release and 0 for the release itself, so that ``1.0rc1 < 1.0 < 1.0.post1``.

    Args:
        version_str: Version as PEP 440 writes it; a local part such as ``+cu118`` does not count.
        length: How many release numbers to keep; missing ones are 0.

    Returns:
        ``length + 2`` integers.

    Raises:
        ValueError: If the text is not a version.
    """
    parsed = _VERSION.fullmatch(version_str.strip())
    if parsed is None:
        raise ArgumentValueError(f"{version_str!r} is not a version such as 1.2.0 or 1.2.0rc1")
    release = [int(number) for number in parsed["release"].split(".")][:length]
    release += [0] * (length - len(release))
    if parsed["pre"]:
        stage = (_PRE_RELEASE_RANK[parsed["pre"][0].lower()], int(parsed["pre_number"] or 0))
    elif parsed["dev"]:
        stage = (-4, 0)
    elif parsed["post"] or parsed["short_post"]:
        stage = (1, int(parsed["short_post"] or parsed["post_number"] or 0))
    else:
        stage = (0, 0)
    return (*release, *stage)


def get_git_hash(fallback: str = "unknown", digits: int | None = None) -> str:
    """The hash of the commit that is checked out in the working directory.

    Args:
        fallback: Result where git or a commit is missing.
        digits: How many digits to keep; all by default.

    Raises:
        TypeError: If ``digits`` is neither ``None`` nor an integer.
    """
    if digits is not None and not isinstance(digits, int):
        raise TypeError(f"digits must be None or an integer, but is {digits!r}")
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return fallback
    return found.stdout.strip()[:digits]
