"""Predictions for files, folders and lines: read, computed, written as tables and pictures."""

from mainspring.tools.predict.inputs import Input, inputs_of
from mainspring.tools.predict.output import Output
from mainspring.tools.predict.predictor import Predictor, Unreadable

__all__ = ["Input", "Output", "Predictor", "Unreadable", "inputs_of"]
