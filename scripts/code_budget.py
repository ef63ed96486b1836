"""Count the code of each package and hold it against its budget.

    python scripts/code_budget.py            # a table; exit 1 where a package is above its budget
    python scripts/code_budget.py --lower    # write today's figures where they are lower

A line counts when it holds code: no blank line, no comment, no docstring. A budget only falls; one
that has to rise is raised by hand, in a commit that says why.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "mainspring"
BUDGET = Path(__file__).with_name("code_budget.json")
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_lines(path: Path) -> set[int]:
    """Numbers of the lines that hold code."""
    lines: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in NO_CODE and token.type not in (
                tokenize.ENCODING,
                tokenize.ENDMARKER,
            ):
                lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines.difference_update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return lines


def count() -> tuple[Counter[str], list[int]]:
    """Code lines by package, and of every function."""
    packages: Counter[str] = Counter()
    functions: list[int] = []
    for path in sorted(SOURCE.rglob("*.py")):
        within = path.relative_to(SOURCE).parts
        lines = code_lines(path)
        packages[within[0] if len(within) > 1 else "mainspring"] += len(lines)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                span = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                functions.append(sum(line in lines for line in span))
    return packages, functions


def main() -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lower", action="store_true", help="lower the budgets to today's figures")
    options = parser.parse_args()
    packages, functions = count()
    budget: dict[str, int] = json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    above = {name: lines for name, lines in packages.items() if lines > budget.get(name, 0)}
    for name, lines in sorted(packages.items()):
        mark = "  above its budget" if name in above else ""
        print(f"{name:15} {lines:6} of {budget.get(name, 0):6}{mark}")
    mean = sum(functions) / len(functions)
    print(f"{'all':15} {sum(packages.values()):6} of {sum(budget.values()):6}", end="")
    print(f"   {len(functions)} functions of {mean:.1f} lines on average")
    if options.lower:
        lowered = {name: min(lines, budget.get(name, lines)) for name, lines in packages.items()}
        BUDGET.write_text(json.dumps(dict(sorted(lowered.items())), indent=2) + "\n")
        return 0
    if above:
        print(
            f"above budget: {', '.join(sorted(above))}. Say it with less, or raise the budget in a"
        )
        print(f"commit that says why ({BUDGET.relative_to(ROOT)}).")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
