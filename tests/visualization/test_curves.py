"""The curves of a run as one picture."""

import json

import pytest

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
    train, val = curves._read(scalars)
    assert train["loss"][0] == [50, 100, 150, 200, 250, 300]
    assert val["loss"] == ([100, 200, 300], [0.5, 0.25, 0.5 / 3])
    assert val["accuracy"] == ([100, 200, 300], [91, 92, 93])


def test_the_picture_is_written(scalars, tmp_path):
    out = plot_curves(str(scalars), str(tmp_path / "new" / "curves.png"))
    assert out == tmp_path / "new" / "curves.png"
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_panels_are_the_scalars_but_for_times(scalars, tmp_path, monkeypatch):
    panels = []
    monkeypatch.setattr(curves, "_draw", lambda found, path: panels.extend(found))
    plot_curves(scalars, tmp_path / "x.png")
    assert panels == ["lr", "loss", "accuracy"]
    panels.clear()
    plot_curves(scalars, tmp_path / "x.png", keys=["time"])
    assert panels == ["time"]


def test_names_with_hierarchy_share_a_panel(tmp_path):
    path = write(
        tmp_path / "scalars.json",
        [{"train/loss": 1.0, "iter": 10, "step": 10}, {"val/loss": 2.0, "step": 1}],
    )
    train, val = curves._read(path)
    assert train["loss"] == ([10], [1.0])
    assert val["loss"] == ([10], [2.0])


def test_mistakes(scalars, tmp_path):
    with pytest.raises(ValueError, match=r"no scalar 'acuracy'(?s:.*)did you mean 'accuracy'"):
        plot_curves(scalars, tmp_path / "x.png", keys=["acuracy"])
    with pytest.raises(ValueError, match="holds no scalars"):
        plot_curves(write(tmp_path / "empty.json", []), tmp_path / "x.png")
    torn = tmp_path / "torn.json"
    torn.write_text('{"loss": 1, "iter": 1}\n{"loss": ')
    with pytest.raises(ValueError, match=r"torn\.json:2 is no line of JSON"):
        plot_curves(torn, tmp_path / "x.png")
