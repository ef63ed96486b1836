"""MMEngine's path of the managers."""

from mainspring.registry.manager import ManagerMeta, ManagerMixin

__all__ = ["ManagerMeta", "ManagerMixin"]
