"""What a run writes down before it starts: the environment, the config, the hooks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mainspring import fileio
from mainspring.config.printing.parse import MARK, is_dump
from mainspring.device.collect_env import collect_env
from mainspring.dist import is_main_process
from mainspring.logging import IN_FILE

if TYPE_CHECKING:
    from mainspring.runner.building.assembly import Assembly

__all__ = ["config_dump_path", "dump_config", "log_environment", "log_hooks"]

_RULE = "-" * 60


def log_environment(runner: Assembly) -> None:
    """Write the machine, the versions and the config into the log, on rank 0."""
    if not is_main_process():
        return
    environment = dict(collect_env())
    runtime = {
        "seed": runner.seed,
        "deterministic": runner.deterministic,
        "sample_rng": runner.sample_rng,
        "launcher": runner.launcher,
        "world size": runner.world_size,
    }
    lines = "\n".join(f"    {name}: {value}" for name, value in environment.items())
    settings = "\n".join(f"    {name}: {value}" for name, value in runtime.items())
    runner.logger.info(
        f"\n{_RULE}\nSystem environment:\n{lines}\n\nRuntime environment:\n{settings}\n{_RULE}\n",
        extra=IN_FILE,
    )
    if len(runner.cfg):
        runner.logger.info(f"Config:\n{runner.cfg.pretty_text}", extra=IN_FILE)


def log_hooks(runner: Assembly) -> None:
    """Write the table of hooks into the log."""
    text = f"Hooks will be executed in the following order:\n{runner.get_hooks_info()}"
    runner.logger.info(text, extra=IN_FILE)


def config_dump_path(runner: Assembly) -> Path:
    """Where the resolved config goes: under the config's own name, or the time of the start.

    A file of that name which no run wrote stays as it is, such as the config itself where the work
    directory is its folder.
    """
    name = Path(runner.cfg.filename).stem if runner.cfg.filename else runner.timestamp
    path = Path(runner.work_dir) / f"{name}.py"
    if not path.is_file() or path.is_symlink():
        return path
    with path.open("rb") as file:
        is_ours = is_dump(file.readline(len(MARK)).decode(errors="replace"))
    return path if is_ours else path.with_suffix(".resolved.py")


def dump_config(runner: Assembly) -> None:
    """Write the resolved config into the work directory, on rank 0."""
    if is_main_process():
        text = runner.cfg.pretty_text
        fileio.put_text(text if is_dump(text) else f"{MARK}\n\n{text}", config_dump_path(runner))
