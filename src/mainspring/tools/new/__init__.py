"""A new project that trains at once: a template, with its parts under their plain names."""

from __future__ import annotations

import re
from pathlib import Path

from mainspring.errors import ConfigError

__all__ = ["TASKS", "write_project"]

TASKS = ("classification", "segmentation", "detection", "language", "gan", "tabular")
_TEMPLATES = Path(__file__).with_name("templates")
_WITH_SHAPES = ("classification", "segmentation", "detection")


def write_project(folder: Path, task: str) -> list[Path]:
    """Write the files of a project.

    Args:
        folder: The folder, which is made; its name is that of the project.
        task: One of `TASKS`.

    Returns:
        The files.

    Raises:
        ConfigError: There is something in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{str(folder)!r} is not empty", help="give a new folder")
    sources = {name: f"{task}_{name}" for name in ("config.py", "data.py", "model.py")}
    sources |= {name: name for name in ("test_training.py", "README.md")}
    if task in _WITH_SHAPES:
        sources["shapes.py"] = "shapes.py"
    title = (_TEMPLATES / f"{task}_config.py").read_text(encoding="utf-8").split("\n", 1)[0]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, source in sorted(sources.items()):
        text = (_TEMPLATES / source).read_text(encoding="utf-8")
        text = re.sub(rf"\b{task}_(data|model)\b", r"\1", text)
        if name == "README.md":
            text = text.replace("NAME", folder.name).replace("TITLE", title[2:].partition(":")[0])
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written
