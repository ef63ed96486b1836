"""Predictions as rows of a table, arrays and pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mainspring.checkpoint.apply import unwrap
from mainspring.errors import MissingPackageError
from mainspring.infer import DrawsPredictions, NamesPredictions
from mainspring.json_text import json_text
from mainspring.logging import warn
from mainspring.structures import BaseDataElement
from mainspring.tools.predict.inputs import Input, is_image
from mainspring.tools.predict.pictures import draw
from mainspring.tools.predict.predictor import Predictor, read_image
from mainspring.visualization.images import write_png

__all__ = ["Output"]

_LARGEST = 100
"""Numbers that a cell of a table holds; more of them go into a file."""


class Output:
    """Rows of predictions, written into a folder together with arrays and pictures.

    `NamesPredictions` of the model says what is in a row, and `DrawsPredictions` what is in a
    picture. Else a row has what the prediction has: the fields of a dict or data element, the
    items of a tuple. Scores for classes whose names are known give ``label`` and ``score``; a label
    that is a number is named too. More than a hundred numbers are a ``.npy`` file whose name is in
    the row.

    Attributes:
        rows: Rows so far.

    Args:
        predictor: What predicts.
        folder: Where to write ``predictions.jsonl``, ``predictions.csv``, ``arrays`` and
            ``images``; ``None`` for nowhere.
    """

    def __init__(self, predictor: Predictor, folder: str | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._predictor = predictor
        self._model = unwrap(predictor.model)
        self._folder = None if folder is None else Path(folder)
        self._taken: set[str] = set()
        self._draws = self._folder is not None

    def add(self, given: Input, prediction: Any) -> dict[str, Any]:
        """Take a prediction; returns its row.

        Args:
            given: The input.
            prediction: What the model gave for it.
        """
        name = self._file_name(given)
        if isinstance(self._model, NamesPredictions):
            fields: Mapping[str, Any] = self._model.prediction_row(prediction)
        else:
            fields = named_fields(prediction, self._predictor.classes)
        row = {"input": given.name}
        for key, value in fields.items():
            row[key] = self._cell(value, f"{name}-{key}")
        if self._draws and given.is_file and is_image(given.source):
            self._draw(given, prediction, fields, name)
        self.rows.append(row)
        return row

    def write(self) -> list[Path]:
        """Write the tables; returns the files."""
        if self._folder is None:
            return []
        self._folder.mkdir(parents=True, exist_ok=True)
        lines, table = self._folder / "predictions.jsonl", self._folder / "predictions.csv"
        lines.write_text("".join(f"{json_text(row)}\n" for row in self.rows), encoding="utf-8")
        with table.open("w", encoding="utf-8", newline="") as file:
            write_csv(self.rows, file)
        return [lines, table]

    def _cell(self, value: Any, name: str) -> Any:
        """A value as JSON can hold it; of a large array the name of a file."""
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            value = value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
        if isinstance(value, np.ndarray | np.generic):
            if value.size <= _LARGEST:
                return value.tolist()
            if self._folder is None:
                shape = " x ".join(map(str, value.shape))
                return f"{value.dtype} {shape} (--out keeps it)"
            path = self._folder / "arrays" / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, value)
            return str(path.relative_to(self._folder))
        if isinstance(value, BaseDataElement):
            value = dict(value.items())
        if isinstance(value, Mapping):
            return {str(key): self._cell(inner, f"{name}-{key}") for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._cell(inner, f"{name}-{number}") for number, inner in enumerate(value)]
        return value if isinstance(value, str | int | float | bool | None) else str(value)

    def _draw(self, given: Input, prediction: Any, fields: Mapping[str, Any], name: str) -> None:
        assert self._folder is not None
        image = np.asarray(read_image(given.source).convert("RGB"))
        visualizer: Any = self._predictor.visualizer
        try:
            visualizer.set_image(image)
            if isinstance(self._model, DrawsPredictions):
                picture = self._model.draw_prediction(visualizer, image, prediction)
                picture = visualizer.get_image() if picture is None else picture
            else:
                picture = draw(visualizer, image, prediction, fields, self._predictor.classes)
        except MissingPackageError as error:
            self._draws = False
            warn(f"no pictures are drawn: {error}")
            return
        path = self._folder / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(np.ascontiguousarray(picture), path)

    def _file_name(self, given: Input) -> str:
        """A name for the files of an input, which no other one has."""
        stem = Path(given.source).stem if given.is_file else given.name
        stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem)
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(name)
        return name


def named_fields(prediction: Any, classes: list[str]) -> dict[str, Any]:
    """What a prediction holds, by name.

    Args:
        prediction: A dict, data element, tuple, tensor or number.
        classes: The names of the classes, where they are known.
    """
    if isinstance(prediction, BaseDataElement):
        fields = dict(prediction.items())
    elif isinstance(prediction, Mapping):
        fields = {str(key): value for key, value in prediction.items()}
    elif isinstance(prediction, tuple):
        fields = {f"prediction_{number}": value for number, value in enumerate(prediction)}
    else:
        fields = {"prediction": prediction}
    fields = {key: value for key, value in fields.items() if value is not None}
    for value in list(fields.values()):
        is_scores = isinstance(value, torch.Tensor) and value.shape == (len(classes),)
        if is_scores and "label" not in fields and value.is_floating_point():
            best = int(value.argmax())
            return {"label": classes[best], "score": value[best], **fields}
    for key in ("label", "pred_label"):
        label = fields.get(key)
        if isinstance(label, torch.Tensor) and label.numel() == 1 and not label.is_floating_point():
            label = int(label)
        if isinstance(label, int) and 0 <= label < len(classes):
            fields[key] = classes[label]
    return fields


def write_csv(rows: Iterable[Mapping[str, Any]], file: Any) -> None:
    """Write rows as CSV; columns are those of all rows, lists and dicts are JSON.

    Args:
        rows: The rows.
        file: A text file.
    """
    rows = list(rows)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    for row in rows:
        cells = {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()}
        writer.writerow(cells)
