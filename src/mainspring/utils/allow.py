"""Which names a config may resolve.

Two lists. What nobody may reach by any route: modules that touch the system, run code or read
pickles, judged by the object that was found, not by the path that led to it. And for names in files
that are data (dumps, JSON, YAML, configs inside of checkpoints) and on the command line: packages
that are known, everything else must be allowed first.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.metadata
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mainspring.errors import ConfigError
from mainspring.utils.openmmlab import MODULE2PACKAGE

__all__ = [
    "ForbiddenNameError",
    "allow_packages",
    "check_allowed",
    "check_harmless",
    "check_path",
    "check_runs_no_code",
    "is_forbidden_module",
]

_FORBIDDEN_MODULES = frozenset(
    {
        "_io", "_pickle", "_posixsubprocess", "_socket", "_thread", "_winapi", "asyncio", "bdb",
        "builtins", "cProfile", "cffi", "code", "codecs", "codeop", "concurrent", "copyreg",
        "ctypes", "dis", "dill", "cloudpickle", "fcntl", "fileinput", "ftplib", "gc", "glob",
        "http", "imaplib", "imp", "importlib", "inspect", "io", "jinja2", "joblib", "linecache",
        "marshal", "mmap", "multiprocessing", "nt", "ntpath", "nturl2path", "operator", "os",
        "pathlib", "pdb", "pickle", "pickletools", "pkg_resources", "pkgutil", "platform",
        "poplib", "posix", "posixpath", "profile", "pty", "pwd", "resource", "runpy", "select",
        "shelve", "shutil", "signal", "site", "smtplib", "socket", "socketserver", "sqlite3",
        "ssl", "subprocess", "sys", "sysconfig", "tarfile", "telnetlib", "tempfile", "threading",
        "timeit", "trace", "traceback", "tty", "types", "urllib", "venv", "weakref", "webbrowser",
        "xmlrpc", "zipfile", "zipimport",
    }
)  # fmt: skip
_HARMLESS_BUILTINS = frozenset(
    {
        "abs", "all", "any", "bool", "bytes", "complex", "dict", "divmod", "enumerate", "filter",
        "float", "frozenset", "int", "len", "list", "map", "max", "min", "object", "pow",
        "property", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum",
        "tuple", "type", "zip",
    }
)  # fmt: skip
_CODE_RUNNERS = (
    "torch.load",
    "torch.save",
    "torch.hub",
    "torch.package",
    "torch.serialization",
    "torch.jit",
    "torch.multiprocessing",
    "torch.testing",
    "torch.utils.cpp_extension",
    "torch.utils.collect_env",
    "torch.utils.model_zoo",
    "torch.utils.bundled_inputs",
    "torch.utils.bottleneck",
    "torch.distributed.elastic",
    "torch.distributed.launch",
    "torch.distributed.run",
    "torch.distributed.rpc",
    "torch._inductor",
    "torch._dynamo",
    "torch._export",
    "torch.export",
    "torch.fx",
    "torch.library",
    "torch.ops",
    "torch.classes",
    "torch.onnx",
    "numpy.load",
    "numpy.save",
    "numpy.lib.npyio",
    "numpy.lib._npyio_impl",
    "numpy.ctypeslib",
    "numpy.distutils",
    "numpy.f2py",
    "numpy.testing",
    "torchvision.datasets.utils",
    "transformers.dynamic_module_utils",
    "mainspring.cli",
    "mainspring.config",
    "mainspring.sweeps",
    "mainspring.fileio",
    "mainspring.dist",
    "mainspring.checkpoint",
    "mainspring.utils",
    "mainspring.registry",
)
_KNOWN_PACKAGES = frozenset(
    (
        *("mainspring", "mmengine", "mmcv", "torch", "torchvision", "torchaudio", "torchmetrics"),
        *("numpy", "timm", "transformers", "collections", "datetime", "decimal", "enum"),
        *("fractions", "itertools", "math", "statistics", "__main__"),
        *MODULE2PACKAGE,
    )
)
_FUNCTOOLS = ("functools.partial",)
_allowed: set[str] = set()


class ForbiddenNameError(ConfigError, ImportError):
    """A config names what configs may not reach."""

    __str__ = ConfigError.__str__


def allow_packages(*names: str) -> None:
    """Allow names of packages in dumps, JSON, YAML and on the command line, in this process.

    Args:
        *names: Top-level packages, such as ``"kornia"``.
    """
    _allowed.update(name.partition(".")[0] for name in names)


def is_forbidden_module(module: str) -> bool:
    """Whether configs may not name what belongs to a module.

    Args:
        module: Its dotted name.
    """
    return module.partition(".")[0] in _FORBIDDEN_MODULES


def check_path(path: str) -> None:
    """Refuse a dotted path by its parts, before anything is imported.

    Raises:
        ForbiddenNameError: A part has two underscores on both sides, or the root is a module that
            configs may not reach.
    """
    root, *rest = path.replace(":", ".").split(".")
    if any(part.startswith("__") and part.endswith("__") for part in rest):
        raise _forbidden(path, "names with double underscores lead out of what a config describes")
    if root in _FORBIDDEN_MODULES and not _is_harmless_builtin(path):
        raise _forbidden(path, f"the module {root} touches the system or runs code")


def check_harmless(found: Any, path: str) -> None:
    """Refuse an object by where it comes from, whatever path led to it.

    Args:
        found: What a path led to.
        path: The path.

    Raises:
        ForbiddenNameError: It is, or belongs to, a module that configs may not reach.
    """
    if isinstance(found, ModuleType):
        root = found.__name__.partition(".")[0]
        if root in _FORBIDDEN_MODULES:
            raise _forbidden(path, f"that is the module {found.__name__}")
        return
    module = getattr(found, "__module__", None)
    if not isinstance(module, str):
        # Methods that are written in C say where they belong only through their owner.
        owner = getattr(found, "__self__", None)
        module = owner.__name__ if isinstance(owner, ModuleType) else ""
    root = module.partition(".")[0]
    if root == "builtins":
        name = getattr(found, "__name__", "")
        is_method = "." in getattr(found, "__qualname__", "")
        is_error = isinstance(found, type) and issubclass(found, BaseException)
        harmless = is_method or is_error or name in _HARMLESS_BUILTINS
        if callable(found) and not harmless:
            raise _forbidden(path, f"that is the builtin function {name}")
    elif root in _FORBIDDEN_MODULES and callable(found):
        raise _forbidden(path, f"that belongs to the module {module}")


def check_runs_no_code(found: Any, path: str) -> None:
    """Refuse what runs code that its arguments name, such as `torch.load` and `torch.hub.load`.

    Args:
        found: What a path led to.
        path: The path, as it was written.

    Raises:
        ForbiddenNameError: It is such a function.
    """
    module = getattr(found, "__module__", None) or ""
    name = getattr(found, "__qualname__", "")
    for shown in (path.replace(":", "."), f"{module}.{name}"):
        for runner in _CODE_RUNNERS:
            if shown == runner or shown.startswith(f"{runner}."):
                if isinstance(found, type) and not runner.startswith(("torch.hub", "torch.pack")):
                    continue  # classes are made, not run
                raise _forbidden(path, f"functions of {runner} run code or touch files")


def check_allowed(path: str) -> None:
    """Refuse a name of a file that is data unless its package is known.

    Args:
        path: The dotted path.

    Raises:
        ForbiddenNameError: Its package is neither known, nor allowed, nor of the project.
    """
    root = path.replace(":", ".").partition(".")[0]
    if path in _FUNCTOOLS or root in _KNOWN_PACKAGES or root in _allowed:
        return
    if root in _packages_with_entry_point() or _is_of_project(root):
        return
    raise ForbiddenNameError(
        f"{path!r} is in a file that is data, and the package {root!r} is not known to be safe",
        help=f"allow it: --allow {root}, or mainspring.config.allow_packages({root!r})",
    )


@functools.cache
def _packages_with_entry_point() -> frozenset[str]:
    """Packages that say with an entry point of the group ``mainspring`` that they are for us."""
    found = importlib.metadata.entry_points(group="mainspring")
    return frozenset(point.value.partition(":")[0].partition(".")[0] for point in found)


def _is_of_project(root: str) -> bool:
    """Whether a package lies in the working directory, or beside the config, not in the system."""
    module = sys.modules.get(root)
    spec = getattr(module, "__spec__", None) if module is not None else None
    if spec is None:
        if root in sys.builtin_module_names or root in sys.stdlib_module_names:
            return False
        spec = importlib.machinery.PathFinder.find_spec(root)
    if spec is None:
        return True  # nothing has this name, which importing it will say
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
    system = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix)}
    for place in places:
        real = Path(os.path.realpath(place))
        installed = "site-packages" in real.parts or "dist-packages" in real.parts
        if installed or any(real.is_relative_to(path) for path in system):
            return False
    return True


def _is_harmless_builtin(path: str) -> bool:
    root, _, name = path.replace(":", ".").partition(".")
    return root == "builtins" and name in _HARMLESS_BUILTINS


def _forbidden(path: str, reason: str) -> ForbiddenNameError:
    return ForbiddenNameError(
        f"a config cannot name {path!r}: {reason}",
        help="do it in a function of a module of yours, and name that",
    )
