"""The visualizer hands everything to its backends, on rank 0 only."""

import json
import sys

import numpy as np
import pytest

from mainspring.registry import VISBACKENDS, VISUALIZERS
from mainspring.visualization import BaseVisBackend, LocalVisBackend, Visualizer
from prepared_processes import run


class Listed(BaseVisBackend):
    """Writes down what it gets, and fails if told to."""

    def __init__(self, save_dir=None, fails=False):
        super().__init__(save_dir)
        self.calls, self.fails = [], fails

    def _init_env(self):
        pass

    experiment = None

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        self.calls.append((scalar_dict, step, file_path))
        if self.fails:
            raise ConnectionError("no network")

    def add_image(self, name, image, step=0, **kwargs):
        self.calls.append((name, step))

    def close(self):
        self.calls.append("close")


@pytest.fixture
def listed(monkeypatch):
    VISBACKENDS.register_module(name="Listed", module=Listed)
    yield Listed
    VISBACKENDS._module_dict.pop("Listed")


def test_backends_are_built_named_and_given_a_directory(tmp_path, listed):
    specs = [
        dict(type="LocalVisBackend"),
        dict(type="Listed", name="mine"),
        dict(type=Listed, save_dir="elsewhere"),
        LocalVisBackend("ready"),
    ]
    with pytest.raises(RuntimeError, match="two visualization backends are named 'LocalVis"):
        Visualizer(vis_backends=specs, save_dir=str(tmp_path))
    visualizer = Visualizer(vis_backends=specs[:3], save_dir=str(tmp_path))
    assert specs[1] == dict(type="Listed", name="mine")
    assert visualizer.get_backend("LocalVisBackend")._save_dir == str(tmp_path / "vis_data")
    assert visualizer.get_backend("mine")._save_dir == str(tmp_path / "vis_data")
    assert visualizer.get_backend("Listed")._save_dir == "elsewhere"
    assert visualizer.get_backend("other") is None
    single = Visualizer(vis_backends=dict(type="Listed"))
    assert isinstance(single.get_backend("Listed"), Listed)


def test_a_backend_without_a_directory_is_left_out(listed):
    with pytest.warns(UserWarning, match="LocalVisBackend needs a directory"):
        visualizer = Visualizer(vis_backends=[dict(type="LocalVisBackend"), dict(type="Listed")])
    assert visualizer.get_backend("LocalVisBackend") is None
    assert visualizer.get_backend("Listed") is not None


@pytest.mark.parametrize("given", [["LocalVisBackend"], [3], "abc"])
def test_what_is_no_backend(given):
    with pytest.raises(TypeError, match="neither a backend nor the config of one"):
        Visualizer(vis_backends=given)


def test_everything_is_handed_over():
    first, second = Listed(), Listed()
    visualizer = Visualizer()
    visualizer._vis_backends = {"a": first, "b": second}
    visualizer.add_scalars({"loss": 1}, step=3, file_path="x.json")
    visualizer.add_image("img", np.zeros((2, 2, 3)), step=4)
    visualizer.add_datasample("x", np.zeros((2, 2, 3)))
    visualizer.close()
    assert first.calls == second.calls == [({"loss": 1}, 3, "x.json"), ("img", 4), "close"]


def test_a_tracker_that_fails_is_switched_off_with_one_warning(capsys):
    bad, good = Listed(fails=True), Listed()
    visualizer = Visualizer()
    visualizer._vis_backends = {"bad": bad, "good": good}
    for step in range(3):
        visualizer.add_scalars({"loss": 1}, step)
    visualizer.close()
    assert len(bad.calls) == 1
    assert len(good.calls) == 4
    out = capsys.readouterr().out
    assert out.count("bad failed and is switched off") == 1
    assert "ConnectionError: no network" in out


def test_other_ranks_do_nothing(monkeypatch, tmp_path):
    backend = Listed()
    visualizer = Visualizer()
    visualizer._vis_backends = {"a": backend}
    visualizer.dataset_meta = {"classes": ("a",)}
    assert visualizer.dataset_meta == {"classes": ("a",)}
    for module in ("mainspring.visualization.visualizer", "mainspring.dist.process_group"):
        monkeypatch.setattr(sys.modules[module], "is_main_process", lambda *_: False)
    assert visualizer.add_scalars({"loss": 1}) is None
    assert visualizer.get_backend("a") is None
    assert visualizer.dataset_meta is None
    assert backend.calls == []


def test_the_newest_of_a_subclass_is_the_current_visualizer():
    class Mine(Visualizer):
        pass

    Visualizer.get_instance("plain")
    mine = Mine.get_instance("mine", vis_backends=None)
    assert Visualizer.get_current_instance() is mine
    assert Mine.get_current_instance() is mine
    assert VISUALIZERS.build(dict(type="Visualizer", name="built")).instance_name == "built"


def test_importing_it_loads_no_drawing_package():
    program = (
        "import sys, mainspring.visualization as v; v.Visualizer();"
        "print(sorted({'matplotlib', 'cv2', 'tensorboard', 'rich'} & set(sys.modules)))"
    )
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class OfAnotherKind:
    """A backend that derives from nothing."""

    def __init__(self, save_dir):
        self.scalars = []

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        self.scalars.append(scalar_dict)

    def close(self):
        pass


def test_a_backend_need_not_derive_from_ours(tmp_path, monkeypatch):
    monkeypatch.setitem(VISBACKENDS.module_dict, "OfAnotherKind", OfAnotherKind)
    visualizer = Visualizer(
        vis_backends=[dict(type="OfAnotherKind", name="built"), OfAnotherKind("here")],
        save_dir=str(tmp_path),
    )
    visualizer.add_scalars({"loss": 1.0})
    for name in ("built", "OfAnotherKind"):
        assert visualizer.get_backend(name).scalars == [{"loss": 1.0}]
    visualizer.close()


def test_trackers_get_tags_over_iterations_and_the_file_of_scalars_flat_names(tmp_path):
    class Tracker(BaseVisBackend):
        experiment = None

        def _init_env(self):
            pass

        def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
            seen.append((scalar_dict, step))

    seen = []
    visualizer = Visualizer(
        vis_backends=[Tracker(str(tmp_path)), dict(type="LocalVisBackend")], save_dir=str(tmp_path)
    )
    visualizer.add_log(
        {"val_loss": 0.5}, {"val/loss": 0.5, "epoch": 2}, step=2, iteration=90, file_path="a.json"
    )
    assert seen == [({"val/loss": 0.5, "epoch": 2}, 90)]
    for name in ("scalars.json", "a.json"):
        assert json.loads((tmp_path / "vis_data" / name).read_text()) == {
            "val_loss": 0.5,
            "step": 2,
        }


def test_a_visualizer_of_a_users_own_sees_what_it_always_saw():
    class Own(Visualizer):
        def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
            seen.append((scalar_dict, step))

    seen = []
    Own().add_log({"loss": 1.0}, {"train/loss": 1.0}, step=3, iteration=3)
    assert seen == [({"loss": 1.0}, 3)]
