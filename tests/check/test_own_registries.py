"""A project's registries that have no parent among ours are looked in as well."""

from __future__ import annotations

import sys
from types import ModuleType

from mainspring.check.references import find_name
from mainspring.registry import DefaultScope, Registry


def test_a_name_that_only_a_projects_own_registry_has(monkeypatch):
    module = ModuleType("painters.registry")
    module.BRUSHES = Registry("brush", scope="painters")
    monkeypatch.setitem(sys.modules, "painters.registry", module)

    @module.BRUSHES.register_module()
    class FineBrush:
        pass

    assert find_name("FineBrush", "")[1] is not None
    DefaultScope.get_instance("run", scope_name="painters")
    assert find_name("FineBrush", "") == (FineBrush, None)
