"""Names in files that are data: references that resolve only what the allow-list has."""

from __future__ import annotations

from typing import Any

from mainspring.config.lazy import LazyAttr, dotted_path
from mainspring.config.reference import Reference, ReferenceAttr
from mainspring.utils.allow import check_allowed, check_runs_no_code

__all__ = ["DumpedAttr", "DumpedReference", "dumped_reference"]


class DumpedReference(Reference):
    """A name in a dump, a JSON or YAML file, or a word of the command line."""

    def build(self) -> Any:
        """Import the object.

        Raises:
            ForbiddenNameError: Configs may not reach it, or its package is not known.
            ImportError: If it cannot be imported.
        """
        check_allowed(dotted_path(self))
        found = super().build()
        # What a person imports may touch files; what stands in data may not.
        check_runs_no_code(found, dotted_path(self))
        return found

    def attribute_(self, name: str) -> LazyAttr:
        """A reference to an attribute of what this one stands for."""
        return DumpedAttr(name, self, self.__dict__["location"])


class DumpedAttr(ReferenceAttr):
    """An attribute of such a name."""

    def build(self) -> Any:
        """Import the object.

        Raises:
            ForbiddenNameError: Configs may not reach it, or its package is not known.
            ImportError: If it cannot be imported.
        """
        check_allowed(dotted_path(self))
        found = super().build()
        # What a person imports may touch files; what stands in data may not.
        check_runs_no_code(found, dotted_path(self))
        return found

    def attribute_(self, name: str) -> LazyAttr:
        """A reference to an attribute of what this one stands for."""
        return DumpedAttr(name, self, self.__dict__["location"])


def dumped_reference(path: str) -> DumpedReference:
    """A reference by its dotted path.

    Args:
        path: Such as ``torch.optim.SGD``.
    """
    module, _, name = path.rpartition(".")
    return DumpedReference(module, name) if module else DumpedReference(path)
