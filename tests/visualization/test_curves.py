"""The curves of a run as one picture."""

import json

import pytest

from mainspring.logging.scalar_lines import Curve, read_curves
from mainspring.visualization import curves, plot_curves


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def scalars(tmp_path):
    lines = []
    for epoch in (1, 2, 3):
        for step in (50, 100):
            iteration = (epoch - 1) * 100 + step
            lines.append(
                dict(
                    lr=0.1,
                    loss=1 / iteration,
                    time=0.1,
                    epoch=epoch,
                    iter=iteration,
                    step=iteration,
                )
            )
        lines.append(dict(loss=0.5 / epoch, accuracy=90.0 + epoch, time=0.2, step=epoch))
    lines.append({"loss": float("nan"), "iter": 301, "step": 301})
    return write(tmp_path / "scalars.json", lines)


def test_a_validation_stands_at_the_iteration_where_it_took_place(scalars):
    found = read_curves([scalars])
    assert found.train["loss"].iterations == [50, 100, 150, 200, 250, 300]
    assert found.val["loss"] == Curve([100, 200, 300], [0.5, 0.25, 0.5 / 3])
    assert found.val["accuracy"] == Curve([100, 200, 300], [91, 92, 93])
    assert found.epochs.values == [1, 1, 2, 2, 3, 3]


def test_where_the_epoch_has_more_iterations_than_were_logged_it_stands_at_its_end(scalars):
    assert read_curves([scalars], 105).val["accuracy"].iterations == [105, 210, 315]


def test_a_start_that_goes_on_replaces_what_it_measures_again(tmp_path):
    first = write(tmp_path / "1.json", [dict(loss=i, iter=i, step=i) for i in (10, 20, 30)])
    second = write(tmp_path / "2.json", [dict(loss=-i, iter=i, step=i) for i in (20, 30, 40)])
    assert read_curves([first, second]).train["loss"] == Curve(
        [10, 20, 30, 40], [10, -20, -30, -40]
    )


def test_a_start_that_goes_on_with_a_validation_has_it_where_training_stood(tmp_path):
    first = write(tmp_path / "1.json", [dict(loss=1, iter=40, step=40)])
    second = write(tmp_path / "2.json", [dict(acc=9, step=1), dict(loss=2, iter=50, step=50)])
    found = read_curves([first, second])
    assert found.val["acc"] == Curve([40], [9])
    assert found.train["loss"] == Curve([40, 50], [1, 2])


def test_a_loss_of_validation_shares_the_panel_of_training(tmp_path, monkeypatch):
    path = write(tmp_path / "s.json", [dict(loss=1, iter=1, step=1), dict(val_loss=2, step=1)])
    panels = {}
    monkeypatch.setattr(curves, "draw_panels", lambda found, *_, **__: panels.update(found))
    plot_curves(path, tmp_path / "x.png")
    assert panels == {
        "loss": [([1], [1], curves._TRAIN_STYLE), ([1], [2], curves._VAL_STYLE)],
    }


def test_the_picture_is_written(scalars, tmp_path):
    out = plot_curves(str(scalars), str(tmp_path / "new" / "curves.png"))
    assert out == tmp_path / "new" / "curves.png"
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_panels_are_the_scalars_but_for_times(scalars, tmp_path, monkeypatch):
    panels = []
    monkeypatch.setattr(curves, "draw_panels", lambda found, *_, **__: panels.extend(found))
    plot_curves(scalars, tmp_path / "x.png")
    assert panels == ["loss", "accuracy", "lr"]
    panels.clear()
    plot_curves(scalars, tmp_path / "x.png", keys=["time"])
    assert panels == ["time"]


def test_names_with_hierarchy_share_a_panel(tmp_path):
    path = write(
        tmp_path / "scalars.json",
        [{"train/loss": 1.0, "iter": 10, "step": 10}, {"val/loss": 2.0, "step": 1}],
    )
    found = read_curves([path])
    assert found.train["loss"] == Curve([10], [1.0])
    assert found.val["loss"] == Curve([10], [2.0])


def test_mistakes(scalars, tmp_path):
    with pytest.raises(ValueError, match=r"no scalar 'acuracy'(?s:.*)did you mean 'accuracy'"):
        plot_curves(scalars, tmp_path / "x.png", keys=["acuracy"])
    with pytest.raises(ValueError, match="holds no scalars"):
        plot_curves(write(tmp_path / "empty.json", []), tmp_path / "x.png")


def test_the_torn_line_of_a_killed_run_is_left_out(tmp_path):
    torn = tmp_path / "torn.json"
    torn.write_text('{"loss": 1, "iter": 1}\n{"loss": ')
    assert read_curves([torn]).train["loss"] == Curve([1], [1])
