"""A training as one script of plain PyTorch, and the proof that both compute the same."""

from mainspring.tools.eject.comparison import Comparison, compare
from mainspring.tools.eject.parts import Parts
from mainspring.tools.eject.script import write_script

__all__ = ["Comparison", "Parts", "compare", "write_script"]
