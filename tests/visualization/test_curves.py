"""The curves of a run become one picture."""

from __future__ import annotations

import json

import pytest

from mainspring.visualization.curves import plot_curves

pytest.importorskip("matplotlib")


@pytest.fixture
def scalars(tmp_path):
    rows = []
    for epoch in range(3):
        rows += [
            {"lr": 0.1, "loss": 1 / (i + 1), "time": 0.1, "iter": i, "epoch": epoch, "step": i}
            for i in range(10 * epoch + 1, 10 * epoch + 11)
        ]
        rows.append({"accuracy": 90 + epoch, "data_time": 0.1, "step": epoch + 1})
    path = tmp_path / "scalars.json"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_picture_is_written_and_named(scalars, tmp_path):
    from matplotlib.image import imread

    out = tmp_path / "curves.png"
    assert str(plot_curves(str(scalars), str(out))) == str(out)
    height, width = imread(out).shape[:2]
    assert width > 2.5 * height  # three panels in a row: lr, loss, accuracy


def test_keys_choose_the_panels(scalars, tmp_path):
    from matplotlib.image import imread

    plot_curves(str(scalars), str(tmp_path / "all.png"))
    plot_curves(str(scalars), str(tmp_path / "one.png"), keys=["loss"])
    assert imread(tmp_path / "one.png").shape[1] * 3 == pytest.approx(
        imread(tmp_path / "all.png").shape[1], abs=3
    )


def test_a_name_that_nobody_logged_is_an_error(scalars, tmp_path):
    with pytest.raises(ValueError, match="los"):
        plot_curves(str(scalars), str(tmp_path / "a.png"), keys=["los"])


def test_a_file_without_scalars_is_an_error(tmp_path):
    (tmp_path / "scalars.json").write_text("")
    with pytest.raises(ValueError, match="no scalar"):
        plot_curves(str(tmp_path / "scalars.json"), str(tmp_path / "a.png"))


def test_validations_without_training_stand_at_their_steps(tmp_path):
    from mainspring.visualization.curves import _read

    path = tmp_path / "scalars.json"
    path.write_text('{"accuracy": 1, "step": 1}\n{"accuracy": 2, "step": 2}\n')
    _, val = _read(path)
    assert val["accuracy"] == ([1.0, 2.0], [1, 2])
