"""The process that a run lives in: seeds, determinism, backends, worker settings, launchers."""

from __future__ import annotations

import platform
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from mainspring.dist import (
    broadcast,
    get_rank,
    init_dist,
    is_distributed,
    is_main_process,
    sync_random_seed,
)
from mainspring.errors import ConfigError, did_you_mean
from mainspring.utils.dl_utils import set_multi_processing

__all__ = [
    "Randomness",
    "set_random_seed",
    "set_up_environment",
    "shared_timestamp",
]

SampleRng = Literal["sample", "worker"]


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
    sample_rng: SampleRng = "sample"

    @classmethod
    def from_section(cls, section: Mapping[str, Any] | None) -> Randomness:
        """Read the section, refusing keys that it does not have.

        Raises:
            ConfigError: An unknown key, or a value that is not one of the choices.
        """
        section = dict(section or {})
        known = list(cls.__dataclass_fields__)
        for key in section:
            if key not in known:
                raise ConfigError(
                    f"randomness has no setting {key!r}",
                    config_path=f"randomness.{key}",
                    help=did_you_mean(key, known) or f"it has {', '.join(known)}",
                )
        if section.get("sample_rng", "sample") not in ("sample", "worker"):
            raise ConfigError(
                f"sample_rng is {section['sample_rng']!r}",
                config_path="randomness.sample_rng",
                help="it is 'sample' or 'worker'",
            )
        return cls(**section)


def set_random_seed(
    seed: int | None = None, deterministic: bool = False, diff_rank_seed: bool = False
) -> int:
    """Seed Python's, NumPy's and torch's generators.

    Args:
        seed: The seed; ``None`` draws one that all ranks share.
        deterministic: Also make torch choose deterministic algorithms, where it has them.
        diff_rank_seed: Add the rank to the seed, so that each rank draws other numbers.

    Returns:
        The seed that was used on this rank.
    """
    if seed is None:
        seed = sync_random_seed()
    if diff_rank_seed:
        seed += get_rank()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - users' transforms draw from the global generator
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    if deterministic:
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True)
    return seed


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
    known = ("cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit", "backend")
    for key in env_cfg:
        if key not in known:
            raise ConfigError(
                f"env_cfg has no setting {key!r}",
                config_path=f"env_cfg.{key}",
                help=did_you_mean(key, known) or f"it has {', '.join(known)}",
            )
    launchers = ("none", "pytorch", "slurm", "mpi")
    if launcher not in launchers:
        raise ConfigError(
            f"there is no launcher {launcher!r}",
            config_path="launcher",
            help=did_you_mean(launcher, launchers) or f"it is one of {', '.join(launchers)}",
        )
    if env_cfg.get("cudnn_benchmark"):
        torch.backends.cudnn.benchmark = True
    distributed = launcher != "none"
    set_multi_processing(**dict(env_cfg.get("mp_cfg") or {}), distributed=distributed)
    if distributed and not is_distributed():
        dist_cfg = dict(env_cfg.get("dist_cfg") or {})
        if "backend" in env_cfg:
            dist_cfg["backend"] = env_cfg["backend"]
        init_dist(launcher, **dist_cfg)
    if platform.system() != "Windows":
        _raise_open_file_limit(int(env_cfg.get("resource_limit", 4096)))


def _raise_open_file_limit(wanted: int) -> None:
    """Many data workers share tensors through open files, beyond what shells allow by default."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(wanted, soft), hard), hard))


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
    shared = torch.tensor(now, dtype=torch.float64)
    broadcast(shared)
    return _as_timestamp(shared.item())


def _as_timestamp(seconds: float) -> str:
    return time.strftime("%Y%m%d_%H%M%S", time.localtime(seconds))
