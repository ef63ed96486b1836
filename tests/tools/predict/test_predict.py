"""Predictions of the command: what is read, how, and what is written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mainspring.cli.main import main
from mainspring.runner import save_checkpoint
from mainspring.tools.predict.inputs import Input, inputs_of
from mainspring.tools.predict.pictures import draw
from mainspring.visualization import Visualizer
from mainspring.visualization.images import write_png

IMPORTS = """
from torch import nn
from predicted import Boxes, Brightness, Loader, Pairs, Photos, Points, Thresholds
from mainspring.dataset import DataLoader
from mainspring.model import Supervised
"""


@pytest.fixture
def predict(tmp_path, capfd, monkeypatch):
    """Predict with a model and test data; returns exit code, rows, and what else was said."""
    monkeypatch.syspath_prepend(Path(__file__).parent)

    def run(model, dataset, *words, stdin="", data=None, without=()):
        config = tmp_path / "config.py"
        data = data or f"DataLoader({dataset})"
        config.write_text(f"{IMPORTS}model = {model}\ntest_dataloader = {data}\n")
        names: dict = {}
        exec(IMPORTS, names)
        weights = eval(model, names).state_dict()
        for name in without:
            del weights[name]
        save_checkpoint({"state_dict": weights, "meta": {}}, str(tmp_path / "w.pth"))
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capfd.readouterr()
        try:
            code = main(["predict", str(config), str(tmp_path / "w.pth"), *words])
        except SystemExit as end:
            code = end.code
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for name, value in (("a.png", 0), ("b.png", 255), ("more/a.png", 51)):
        write_png(np.full((4, 6, 3), value, np.uint8), folder / name)
    (folder / ".hidden").write_text("no input")
    return folder


def test_words_stand_for_files_lines_and_rows(tmp_path, pictures):
    (tmp_path / "notes.txt").write_text("one\n\n[1, 2]\n")
    (tmp_path / "table.csv").write_text("x,name\n1.5,north\n")
    (tmp_path / "broken.txt").write_bytes(b"\xff\xfe\xff")
    words = [pictures, "-", tmp_path / "*.csv", tmp_path / "notes.txt", tmp_path / "broken.txt"]
    found = list(inputs_of(list(map(str, words)), io.StringIO('{"x": 1}\n')))
    *others, broken = found
    assert others == [
        *[
            Input(str(pictures / name), str(pictures / name), is_file=True)
            for name in ("a.png", "b.png", "more/a.png")
        ],
        Input("stdin:1", {"x": 1}),
        Input(f"{tmp_path}/table.csv:2", {"x": 1.5, "name": "north"}),
        Input(f"{tmp_path}/notes.txt:1", "one"),
        Input(f"{tmp_path}/notes.txt:3", [1, 2]),
    ]
    assert isinstance(broken.source, UnicodeDecodeError)
    with pytest.raises(FileNotFoundError, match="no file has the name 'absent'"):
        inputs_of(["absent"], io.StringIO())


def test_rows_below_no_names_are_lists_of_numbers(tmp_path):
    (tmp_path / "plain.csv").write_text("1,2.5\n\n3,4\n")
    (tmp_path / "twice.csv").write_text("x,x\n1,2\n")
    first, second, twice = inputs_of([str(tmp_path / "*.csv")], io.StringIO())
    assert first == Input(f"{tmp_path}/plain.csv:1", [1.0, 2.5])
    assert second == Input(f"{tmp_path}/plain.csv:2", [3.0, 4.0])
    assert "names of columns, has one twice" in str(twice.source)


def test_a_checkpoint_with_other_weights_is_refused_unless_that_is_said(predict):
    model = "Supervised(nn.Linear(2, 3), nn.CrossEntropyLoss())"
    given = dict(stdin="0.5 0.25\n", without=["net.bias"])
    code, out, err = predict(model, "Points()", "-", **given)
    assert (code, out) == (2, "")
    assert "missing keys in source state_dict: net.bias" in err
    assert "--partial" in err
    code, out, err = predict(model, "Points()", "-", "--partial", **given)
    assert (code, len(out.splitlines())) == (0, 1)
    assert "missing keys in source state_dict: net.bias" in err


def test_lines_are_read_by_the_data_set_and_classes_are_named(predict):
    code, out, _ = predict(
        "Supervised(nn.Identity(), nn.CrossEntropyLoss())",
        "Points()",
        "-",
        "--format=json",
        stdin="0.5 0.25\n1 3\n",
    )
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"input": "stdin:1", "label": "left", "score": 0.5, "prediction": [0.5, 0.25]},
        {"input": "stdin:2", "label": "right", "score": 3.0, "prediction": [1.0, 3.0]},
    ]


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(predict):
    code, out, err = predict(
        "Supervised(nn.Identity(), nn.CrossEntropyLoss())", "Points()", "-", stdin="a b\n1 3\n"
    )
    assert code == 1
    assert out.splitlines() == ["stdin:2  label=right  score=3  prediction=[1, 3]"]
    assert "stdin:1: cannot be read: ValueError: could not convert string to float: 'a'" in err
    assert "1 predicted, 1 could not be read" in err


def test_standard_input_without_lines_is_said(predict):
    code, out, err = predict(
        "Supervised(nn.Identity(), nn.CrossEntropyLoss())", "Points()", "-", stdin="\n"
    )
    assert (code, out) == (2, "")
    assert "there is nothing to predict for" in err


def test_pictures_without_a_word_are_numbers_from_0_to_1(predict, pictures):
    code, out, _ = predict(
        "Supervised(Brightness(), nn.MSELoss())", "Pairs()", str(pictures), "--batch-size", "2"
    )
    assert code == 0
    assert [line.split("prediction=")[1] for line in out.splitlines()] == ["0", "1", "0.2"]


def test_pictures_go_through_the_transform_of_the_data_set(predict, pictures):
    _, out, _ = predict(
        "Supervised(Brightness(), nn.MSELoss())", "Photos()", str(pictures / "more"), "--format=csv"
    )
    assert list(csv.DictReader(io.StringIO(out))) == [
        {"input": str(pictures / "more" / "a.png"), "prediction": "51.0"}
    ]


def test_a_model_says_what_to_write_and_to_draw(predict, pictures, tmp_path):
    out_dir = tmp_path / "out"
    code, _, _ = predict("Boxes()", "Pairs()", str(pictures), "--out", str(out_dir))
    assert code == 0
    rows = [json.loads(line) for line in (out_dir / "predictions.jsonl").read_text().splitlines()]
    assert [row["height"] for row in rows] == [4.0, 4.0, 4.0]
    arrays = [row["all"] for row in rows]
    assert arrays == ["arrays/a-all.npy", "arrays/b-all.npy", "arrays/a-2-all.npy"]
    assert np.load(out_dir / arrays[0]).shape == (20, 20)
    drawn = [np.asarray(Image.open(out_dir / f"images/{name}.png")) for name in ("a", "b", "a-2")]
    assert [int(picture.mean()) for picture in drawn] == [255, 0, 204]


def test_the_pipeline_of_the_test_data_is_used_and_masks_are_drawn(predict, pictures, tmp_path):
    out_dir = tmp_path / "out"
    data = "dict(dataset=dict(type=Pairs, pipeline=[dict(type=Loader)]), batch_size=1)"
    code, _, _ = predict(
        "Thresholds()", None, str(pictures / "b.png"), "--out", str(out_dir), data=data
    )
    assert code == 0
    row = json.loads((out_dir / "predictions.jsonl").read_text())
    assert row["mask"] == [[True] * 6] * 4
    picture = np.asarray(Image.open(out_dir / "images" / "b.png"))
    assert (picture != 255).any()


def test_boxes_are_drawn_with_a_colour_for_each_class():
    image = np.zeros((40, 40, 3), np.uint8)
    visualizer = Visualizer(vis_backends=None)
    visualizer.set_image(image)
    boxes = np.array([[2.0, 2, 12, 12], [22, 22, 32, 32]])
    fields = {"found": {"bboxes": boxes, "labels": np.array([0, 1])}}
    picture = draw(visualizer, image, None, fields, ["a", "b"])
    first, second = picture[12, 8].tolist(), picture[32, 28].tolist()
    assert max(first) > 50
    assert max(second) > 50
    assert first != second


def test_nothing_is_written_but_into_the_folder(predict, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    predict("Boxes()", "Pairs()", str(pictures))
    made = {path.name for path in set(tmp_path.rglob("*")) - before}
    assert made == {"config.py", "w.pth"}
