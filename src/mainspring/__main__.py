"""The `mainspring` command, also as `python -m mainspring`: Ctrl-C is answered from the start."""

from __future__ import annotations

import io
import sys
from contextlib import suppress

__all__ = ["run"]


def run() -> int:
    """Run the command; what it consists of is imported here, which takes a moment."""
    try:
        from mainspring.cli.main import main
    except KeyboardInterrupt:
        print("mainspring: interrupted", file=sys.stderr)
        return 130
    if isinstance(sys.stdout, io.TextIOWrapper):  # escapes for what the locale has no character for
        with suppress(OSError):
            sys.stdout.reconfigure(errors="backslashreplace")
    return main()


if __name__ == "__main__":
    sys.exit(run())
