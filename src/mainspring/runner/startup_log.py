"""What a run writes down before it starts: the environment, the config, the hooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mainspring.dist import is_main_process
from mainspring.utils.dl_utils import collect_env

__all__ = ["config_dump_path", "dump_config", "log_environment", "log_hooks"]

_RULE = "-" * 60


def log_environment(runner: Any) -> None:
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
        f"\n{_RULE}\nSystem environment:\n{lines}\n\nRuntime environment:\n{settings}\n{_RULE}\n"
    )
    if len(runner.cfg):
        runner.logger.info(f"Config:\n{runner.cfg.pretty_text}")


def log_hooks(runner: Any) -> None:
    """Write the table of hooks into the log."""
    runner.logger.info(f"Hooks will be executed in the following order:\n{runner.get_hooks_info()}")


def config_dump_path(runner: Any) -> Path:
    """Where the resolved config goes: under the config's own name, or the time of the start."""
    name = Path(runner.cfg.filename).stem if runner.cfg.filename else runner.timestamp
    return Path(runner.work_dir) / f"{name}.py"


def dump_config(runner: Any) -> None:
    """Write the resolved config into the work directory, on rank 0."""
    if is_main_process():
        runner.cfg.dump(str(config_dump_path(runner)))
