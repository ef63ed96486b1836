"""Backends write at once, say what is missing, and never end a training."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from mainspring.config import Config
from mainspring.logging import MMLogger
from mainspring.visualization import (
    AimVisBackend,
    BaseVisBackend,
    ClearMLVisBackend,
    DVCLiveVisBackend,
    LocalVisBackend,
    MLflowVisBackend,
    NeptuneVisBackend,
    TensorboardVisBackend,
    Visualizer,
    WandbVisBackend,
)
from mainspring.visualization.errors import VisualizationError
from mainspring.visualization.images import write_png
from mainspring.visualization.vis_backend import force_init_env


class Flaky(BaseVisBackend):
    """A tracker whose server is gone."""

    def __init__(self, save_dir=None):
        super().__init__(save_dir)
        self.calls = 0

    def _init_env(self):
        pass

    @property
    @force_init_env
    def experiment(self):
        return self

    @force_init_env
    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        self.calls += 1
        raise ConnectionError("no route to host")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestLocal:
    def test_a_line_is_on_disk_before_the_call_returns(self, tmp_path):
        backend = LocalVisBackend(str(tmp_path / "run"))
        for step in range(3):
            backend.add_scalars({"loss": torch.tensor(0.5), "acc": np.float32(0.25)}, step=step)
            assert len(lines(tmp_path / "run" / "scalars.json")) == step + 1
        assert lines(tmp_path / "run" / "scalars.json")[-1] == {"loss": 0.5, "acc": 0.25, "step": 2}
        backend.close()

    def test_nothing_is_created_before_the_first_use(self, tmp_path):
        LocalVisBackend(str(tmp_path / "run"))
        assert not (tmp_path / "run").exists()

    def test_a_step_among_the_scalars_wins(self, tmp_path):
        backend = LocalVisBackend(str(tmp_path))
        backend.add_scalars({"loss": 1, "step": 7}, step=3)
        backend.add_scalar("lr", torch.tensor([0.1], dtype=torch.float64).squeeze(), step=4)
        assert lines(tmp_path / "scalars.json") == [
            {"loss": 1, "step": 7},
            {"lr": 0.1, "step": 4},
        ]
        backend.close()

    def test_lines_after_close_are_appended(self, tmp_path):
        backend = LocalVisBackend(str(tmp_path))
        backend.add_scalar("a", 1)
        backend.close()
        backend.add_scalar("a", 2)
        backend.close()
        assert [row["a"] for row in lines(tmp_path / "scalars.json")] == [1, 2]

    def test_a_second_file_gets_the_line_too(self, tmp_path):
        backend = LocalVisBackend(str(tmp_path))
        backend.add_scalars({"loss": 1.5}, step=2, file_path="other.json")
        backend.close()
        assert lines(tmp_path / "other.json") == lines(tmp_path / "scalars.json")

    @pytest.mark.parametrize("file_path", ["scalars.json", "other.txt"])
    def test_a_second_file_must_be_another_json_file(self, tmp_path, file_path):
        backend = LocalVisBackend(str(tmp_path))
        with pytest.raises(AssertionError, match=file_path):
            backend.add_scalars({"loss": 1}, file_path=file_path)
        backend.close()

    @pytest.mark.parametrize("name", ["config_save_file", "scalar_save_file"])
    def test_endings_of_files_are_checked(self, tmp_path, name):
        with pytest.raises(AssertionError, match=name):
            LocalVisBackend(str(tmp_path), **{name: "file.txt"})

    def test_the_config_can_be_read_again(self, tmp_path):
        LocalVisBackend(str(tmp_path)).add_config(Config(dict(a=1, b=dict(c="x"))))
        assert Config.fromfile(tmp_path / "config.py").to_dict() == {"a": 1, "b": {"c": "x"}}

    def test_images_keep_their_colours(self, tmp_path):
        image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
        LocalVisBackend(str(tmp_path)).add_image("cat", image, step=3)
        np.testing.assert_array_equal(read_png(tmp_path / "vis_image" / "cat_3.png"), image)


def read_png(path):
    from matplotlib.image import imread

    return np.rint(imread(path) * 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (6, 5, 3), (1, 9, 3), (3, 2, 4)])
def test_png_files_hold_the_pixels(tmp_path, shape):
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    write_png(image, tmp_path / "a.png")
    np.testing.assert_array_equal(read_png(tmp_path / "a.png"), image)


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2), np.float32), np.zeros((2, 2, 2), np.uint8), np.zeros(3, np.uint8)]
)
def test_what_is_no_image_is_refused(tmp_path, image):
    with pytest.raises(VisualizationError, match="shape"):
        write_png(image, tmp_path / "a.png")


class TestTensorboard:
    @pytest.fixture
    def read(self, tmp_path):
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        def events():
            found = EventAccumulator(str(tmp_path))
            found.Reload()
            return found

        return events

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_scalars_stand_at_their_step(self, tmp_path, read):
        backend = TensorboardVisBackend(str(tmp_path))
        backend.add_scalars({"loss": torch.tensor(0.5), "acc": 0.25}, step=3)
        backend.add_scalar("loss", np.float64(0.125), step=9)
        backend.close()
        found = read()
        assert [(e.step, e.value) for e in found.Scalars("loss")] == [(3, 0.5), (9, 0.125)]
        assert [(e.step, e.value) for e in found.Scalars("acc")] == [(3, 0.25)]

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_the_step_is_no_scalar(self, tmp_path):
        pytest.importorskip("tensorboard")
        backend = TensorboardVisBackend(str(tmp_path))
        with pytest.raises(AssertionError, match="step"):
            backend.add_scalars({"loss": 1, "step": 3})
        backend.close()


@pytest.mark.parametrize(
    ("backend", "module"),
    [
        (AimVisBackend, "aim"),
        (ClearMLVisBackend, "clearml"),
        (DVCLiveVisBackend, "dvclive"),
        (MLflowVisBackend, "mlflow"),
        (NeptuneVisBackend, "neptune"),
        (TensorboardVisBackend, "torch.utils.tensorboard"),
        (WandbVisBackend, "wandb"),
    ],
)
def test_a_missing_tracker_says_what_to_install(tmp_path, monkeypatch, backend, module):
    monkeypatch.setitem(sys.modules, module, None)
    visualizer = Visualizer(vis_backends=[backend(str(tmp_path))])
    with pytest.raises(ImportError, match=r"pip install .*" + module.rpartition(".")[2]):
        visualizer.add_config(Config(dict(a=1)))
    with pytest.raises(ImportError, match=backend.__name__):
        visualizer.add_scalar("a", 1)


class TestVisualizer:
    def test_a_failing_tracker_is_switched_off_with_one_warning(self, tmp_path):
        records = []
        logger = MMLogger.get_instance("test_flaky")
        logger.addFilter(lambda record: records.append(record) or False)
        local, flaky = LocalVisBackend(str(tmp_path)), Flaky()
        visualizer = Visualizer(vis_backends=[flaky, local])
        for step in range(4):
            visualizer.add_scalars({"loss": 1.0}, step=step)
        visualizer.close()
        assert flaky.calls == 1
        assert len(lines(tmp_path / "scalars.json")) == 4
        (record,) = records
        assert record.levelname == "WARNING"
        assert "Flaky" in record.getMessage()
        assert "no route to host" in record.getMessage()

    def test_what_fails_in_the_run_directory_ends_the_run(self, tmp_path):
        (tmp_path / "file").write_text("")
        visualizer = Visualizer(vis_backends=[LocalVisBackend(str(tmp_path / "file" / "x"))])
        with pytest.raises(OSError, match="file"):
            visualizer.add_scalar("a", 1)

    def test_backends_write_into_vis_data(self, tmp_path):
        visualizer = Visualizer(vis_backends=dict(type="LocalVisBackend"), save_dir=str(tmp_path))
        visualizer.add_scalar("a", 1, step=2)
        visualizer.close()
        assert lines(tmp_path / "vis_data" / "scalars.json") == [{"a": 1, "step": 2}]
        assert isinstance(visualizer.get_backend("LocalVisBackend"), LocalVisBackend)

    def test_backends_of_one_class_need_names(self, tmp_path):
        one = dict(type="LocalVisBackend")
        with pytest.raises(RuntimeError, match="LocalVisBackend"):
            Visualizer(vis_backends=[one, one], save_dir=str(tmp_path))
        visualizer = Visualizer(vis_backends=[one, dict(one, name="b")], save_dir=str(tmp_path))
        assert visualizer.get_backend("b") is not None

    def test_without_a_directory_local_files_are_left_out(self):
        with pytest.warns(UserWarning, match="LocalVisBackend"):
            visualizer = Visualizer(vis_backends=[dict(type="LocalVisBackend")])
        assert visualizer.get_backend("LocalVisBackend") is None

    def test_the_newest_subclass_instance_is_current(self):
        class Mine(Visualizer):
            pass

        Visualizer.get_instance("plain")
        mine = Mine.get_instance("mine")
        assert Visualizer.get_current_instance() is mine
