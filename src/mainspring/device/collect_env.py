"""A description of the machine and the versions, for logs and bug reports."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from mainspring.version import __version__

__all__ = ["collect_env"]

_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


def collect_env() -> OrderedDict[str, Any]:
    """Describe the machine and the versions.

    Versions are read from the installed packages' metadata: importing OpenCV and torchvision
    only to ask would take longer than everything else that happens before training.

    Returns:
        Ordered from the general to the particular: ``sys.platform``, ``Python``,
        ``CUDA available``, ``MUSA available``, ``numpy_random_seed``, ``GPU <ids>`` for each kind
        of GPU, ``CUDA_HOME``, ``NVCC``, ``GCC``, ``PyTorch``, ``PyTorch compiling details``,
        ``TorchVision`` and ``OpenCV`` where installed, ``mainspring``.
    """
    env: OrderedDict[str, Any] = OrderedDict()
    env["sys.platform"] = sys.platform
    env["Python"] = sys.version.replace("\n", "")
    env["CUDA available"] = torch.cuda.is_available()
    musa = getattr(torch, "musa", None)
    env["MUSA available"] = bool(musa is not None and musa.is_available())
    env["numpy_random_seed"] = _numpy_seed()
    if torch.cuda.is_available():
        env.update(_gpus(torch.cuda))
        home = _cuda_home()
        env["CUDA_HOME"] = home
        env["NVCC"] = _cuda_compiler(home)
    elif musa is not None and musa.is_available():
        env.update(_gpus(musa))
        env["MUSA_HOME"] = os.environ.get("MUSA_HOME")
    env["GCC"] = _c_compiler()
    env["PyTorch"] = str(torch.__version__)
    env["PyTorch compiling details"] = torch.__config__.show()
    for name, packages in (("TorchVision", ("torchvision",)), ("OpenCV", _OPENCV)):
        for package in packages:
            with suppress(importlib.metadata.PackageNotFoundError):
                env.setdefault(name, importlib.metadata.version(package))
    env["mainspring"] = __version__
    if "mmengine" in sys.modules:  # also the alias, with the version that it answers
        env["MMEngine"] = sys.modules["mmengine"].__version__
    return env


def _numpy_seed() -> int:
    import numpy as np

    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - the generator that users seed
    words = state["state"]
    return int(np.ravel(words["key"] if "key" in words else words["state"])[0])


def _gpus(backend: Any) -> dict[str, str]:
    devices: dict[str, list[str]] = {}
    for index in range(backend.device_count()):
        devices.setdefault(backend.get_device_name(index), []).append(str(index))
    return {f"GPU {','.join(ids)}": name for name, ids in devices.items()}


def _cuda_home() -> str | None:
    """Where CUDA is, found as torch does for extensions (whose module imports setuptools)."""
    if torch.version.hip is not None:
        return os.environ.get("ROCM_HOME") or os.environ.get("ROCM_PATH") or "/opt/rocm"
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    if home:
        return home
    compiler = shutil.which("nvcc")
    if compiler:
        return str(Path(compiler).parent.parent)
    return "/usr/local/cuda" if os.path.isdir("/usr/local/cuda") else None


def _cuda_compiler(home: str | None) -> str:
    for program in ("bin/nvcc", "bin/hipcc"):
        if home is not None and (Path(home) / program).is_file():
            lines = _output([str(Path(home) / program), "--version"]).splitlines()
            named = [line for line in lines if "release" in line or "HIP version" in line]
            return named[0].strip() if named else "Not Available"
    return "Not Available"


def _c_compiler() -> str:
    command = (sysconfig.get_config_var("CC") or "").split()
    lines = _output([os.path.basename(command[0]), "--version"]).splitlines() if command else []
    return lines[0].strip() if lines else "n/a"


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
