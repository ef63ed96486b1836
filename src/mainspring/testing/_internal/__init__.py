"""Test cases of several processes."""

from mainspring.testing._internal.distributed import MultiProcessTestCase

__all__ = ["MultiProcessTestCase"]
