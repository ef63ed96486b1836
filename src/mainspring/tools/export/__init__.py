"""A trained model as a program of its own, or as weights, and how far it is from the model."""

from mainspring.tools.export.programs import FORMATS, Parity, export_model, export_weights
from mainspring.tools.export.target import ExportTarget, target_of

__all__ = ["FORMATS", "ExportTarget", "Parity", "export_model", "export_weights", "target_of"]
