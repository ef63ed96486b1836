"""The process that a run lives in: seeds, determinism, backends, worker settings, launchers."""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mainspring.config.schema import keys_of_section
from mainspring.defaults import DEFAULTS
from mainspring.device.multi_processing import set_multi_processing
from mainspring.dist import broadcast, init_dist, is_distributed, is_main_process, names_peers
from mainspring.errors import ConfigError, did_you_mean
from mainspring.rng.seeding import SampleRng
from mainspring.runner.building.sections import (
    refuse_no_switch,
    require_settings,
    unknown_setting,
)

__all__ = [
    "Randomness",
    "check_environment",
    "check_wrapping",
    "set_up_environment",
    "shared_timestamp",
]


@dataclass(frozen=True)
class Randomness:
    """The ``randomness`` section of a config.

    Attributes:
        seed: Seed of the run; ``None`` draws one, the same on every rank.
        diff_rank_seed: Whether each rank adds its own number to the seed.
        deterministic: Whether torch must use deterministic algorithms.
        sample_rng: ``"sample"`` seeds the generators for each item from (seed, epoch, index), so
            that the data stream depends on nothing else; ``"worker"`` is MMEngine's stream, draw
            for draw.
    """

    seed: int | None = None
    diff_rank_seed: bool = False
    deterministic: bool = False
    sample_rng: SampleRng = field(default_factory=lambda: DEFAULTS.sample_rng)

    @classmethod
    def from_section(cls, section: Mapping[str, Any] | None) -> Randomness:
        """Read the section, refusing keys that it does not have.

        Raises:
            ConfigError: An unknown key, or a value that is not one of the choices.
        """
        switches = ("deterministic", "diff_rank_seed")
        require_settings("randomness", section, "seed=...", switches)
        section = dict(section or {})
        _refuse_unknown(section, list(cls.__dataclass_fields__), "randomness")
        seed = section.get("seed")
        if seed is not None and (not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32):
            hint = "give a whole number from 0 to 2**32 - 1, or None for one drawn at random"
            raise ConfigError.of_value("randomness.seed", seed, hint)
        _refuse_other(section.get("sample_rng"), ("sample", "worker"), "randomness.sample_rng")
        return cls(**section)


_PARTS_OF_ENVIRONMENT = {
    "mp_cfg": ("mp_start_method", "opencv_num_threads"),
    "dist_cfg": (
        *("backend", "init_backend", "port", "timeout", "init_method", "world_size", "rank"),
        *("store", "group_name", "pg_options", "device_id"),
    ),
}


def check_environment(env_cfg: Mapping[str, Any], launcher: str) -> None:
    """Refuse an ``env_cfg`` or launcher that makes no sense, before anything is changed.

    Args:
        env_cfg: As for `set_up_environment`.
        launcher: As for `set_up_environment`.

    Raises:
        ConfigError: An unknown key or value.
    """
    require_settings("env_cfg", env_cfg, switches=("cudnn_benchmark",))
    _refuse_unknown(env_cfg, keys_of_section("env_cfg"), "env_cfg")
    for part, settings in _PARTS_OF_ENVIRONMENT.items():
        if isinstance(env_cfg.get(part), Mapping):
            _refuse_unknown(env_cfg[part], settings, f"env_cfg.{part}")
    _refuse_other(launcher, ("none", "pytorch", "slurm", "mpi"), "launcher")
    processes, group = env_cfg.get("mp_cfg") or {}, env_cfg.get("dist_cfg") or {}
    methods = multiprocessing.get_all_start_methods()
    _refuse_other(processes.get("mp_start_method"), methods, "env_cfg.mp_cfg.mp_start_method")
    for path, backend in (
        ("env_cfg.dist_cfg.backend", group.get("backend")),
        ("env_cfg.backend", env_cfg.get("backend")),
    ):
        # "cpu:gloo,cuda:nccl" names one for each kind of device.
        if isinstance(backend, str) and ":" not in backend:
            backends = torch.distributed.Backend.backend_list
            _refuse_other(backend.lower(), backends, path)


def check_wrapping(cfg: Any) -> None:
    """Refuse settings of a config that several processes could not use, also where there is one.

    Args:
        cfg: The whole config.

    Raises:
        ConfigError: A value that is not one of the choices.
    """
    _refuse_other(cfg.get("sync_bn"), ("torch", "mmcv"), "sync_bn")
    refuse_no_switch(cfg.get("find_unused_parameters"), "find_unused_parameters")


def _refuse_unknown(section: Mapping[str, Any], known: Sequence[str], path: str) -> None:
    for key in map(str, section):
        if key not in known:
            raise unknown_setting(path, key, known)


def _refuse_other(value: Any, known: Sequence[str], path: str) -> None:
    if value is not None and value not in known:
        hint = did_you_mean(str(value), known) or f"it is {' or '.join(map(repr, known))}"
        raise ConfigError.of_value(path, value, hint)


def set_up_environment(env_cfg: Mapping[str, Any], launcher: str) -> None:
    """Prepare backends, worker start method and process group as ``env_cfg`` says.

    Args:
        env_cfg: ``cudnn_benchmark``, ``mp_cfg`` (``mp_start_method``, ``opencv_num_threads``),
            ``dist_cfg`` (``backend``, ``timeout`` in seconds, ...), ``resource_limit`` (soft limit
            of open files); ``backend`` may be given flat as well.
        launcher: ``"none"``, ``"pytorch"``, ``"slurm"`` or ``"mpi"``.

    Raises:
        ConfigError: An unknown key or launcher.
    """
    check_environment(env_cfg, launcher)
    if env_cfg.get("cudnn_benchmark"):
        torch.backends.cudnn.benchmark = True
    distributed = launcher != "none"
    set_multi_processing(**dict(env_cfg.get("mp_cfg") or {}), distributed=distributed)
    if distributed and not is_distributed():
        dist_cfg = dict(env_cfg.get("dist_cfg") or {})
        if "backend" in env_cfg:
            dist_cfg["backend"] = env_cfg["backend"]
        init_dist(launcher, **dist_cfg)
    elif names_peers() and not is_distributed():
        raise ConfigError(
            f"{os.environ['WORLD_SIZE']} processes were started together, but launcher is "
            f"{launcher!r}: each of them would train alone, on all data",
            config_path="launcher",
            help="set launcher='pytorch' (--launcher pytorch); a process that is to be alone "
            "needs an environment without RANK and WORLD_SIZE",
        )
    if platform.system() != "Windows":
        import resource

        # Many data workers share tensors through open files, beyond what shells allow by default.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = max(int(env_cfg.get("resource_limit", 4096)), soft)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


_latest_start = 0.0


def shared_timestamp(is_taken: Callable[[str], bool]) -> str:
    """The time of this run's start as ``YYYYmmdd_HHMMSS``, the same on every rank.

    Args:
        is_taken: Whether another start has that time already; then the next second is tried.
            Starts of this process are never dated back, so that their names sort by age.
    """
    global _latest_start  # noqa: PLW0603 - what it stands for is the process's
    now = max(time.time(), _latest_start)
    while is_main_process() and is_taken(_as_timestamp(now)):
        now += 1
    _latest_start = now
    shared = torch.tensor(now, dtype=torch.float64, device="cpu")
    broadcast(shared)
    return _as_timestamp(shared.item())


def _as_timestamp(seconds: float) -> str:
    return time.strftime("%Y%m%d_%H%M%S", time.localtime(seconds))
