"""Trackers get what a run records; when they fail, the run goes on."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from mainspring.config import Config
from mainspring.logging import MessageHub
from mainspring.visualization import (
    AimVisBackend,
    BaseVisBackend,
    ClearMLVisBackend,
    DVCLiveVisBackend,
    MLflowVisBackend,
    NeptuneVisBackend,
    TensorboardVisBackend,
    WandbVisBackend,
)

IMAGE = np.zeros((4, 5, 3), dtype=np.uint8)


class Recorder:
    """Writes down every call that is made to it."""

    def __init__(self, calls, name="", **attributes):
        self.__dict__.update(calls=calls, name=name, **attributes)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Recorder(self.calls, f"{self.name}.{name}".strip("."))

    def __getitem__(self, key):
        return Recorder(self.calls, f"{self.name}[{key}]")

    def __setitem__(self, key, value):
        self.calls.append((f"{self.name}[{key}]=", (value,), {}))

    def __call__(self, *args, **kwargs):
        self.calls.append((self.name, args, kwargs))
        return self.results.get(self.name, Recorder(self.calls, f"{self.name}()"))

    results = {}


class Package(ModuleType):
    """A package of which every function is a recorder."""

    def __init__(self, name, calls, **attributes):
        super().__init__(name)
        self.__dict__.update(calls=calls, **attributes)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Recorder(self.calls, name)


@pytest.fixture
def install(monkeypatch):
    def install(name, **attributes):
        calls = []
        package = Package(name, calls, **attributes)
        monkeypatch.setitem(sys.modules, name, package)
        return calls

    return install


def named(calls, name):
    return [(args, kwargs) for called, args, kwargs in calls if called == name]


def make_run(step=0, run_id="abc", calls=None):
    return SimpleNamespace(
        id=run_id, step=step, log_code=lambda name: calls.append(("code", (name,), {}))
    )


def start_wandb(install, tmp_path, step=0, **options):
    calls = install("wandb")
    sys.modules["wandb"].init = lambda **kwargs: (
        calls.append(("init", (), kwargs)) or make_run(step, kwargs.get("id", "abc"), calls)
    )
    return WandbVisBackend(str(tmp_path), **options), calls


def test_wandb_records_stand_at_the_iteration(install, tmp_path):
    hub = MessageHub.get_instance("run")
    backend, calls = start_wandb(install, tmp_path, define_metric_cfg={"acc": "max"})
    for iteration in (9, 19):
        hub.update_info("iter", iteration)
        backend.add_scalars({"loss": torch.tensor(0.5)}, step=iteration + 1)
    backend.add_scalars({"acc": 0.9}, step=1)
    backend.add_scalar("x", 1, step=1)
    backend.add_image("img", IMAGE, step=1)
    backend.add_graph("model", None)
    backend.close()
    assert [(set(args[0]), kwargs) for args, kwargs in named(calls, "log")] == [
        ({"loss"}, {"step": 10}),
        ({"loss"}, {"step": 20}),
        ({"acc"}, {"step": 20}),
        ({"x"}, {"step": 20}),
        ({"img"}, {"step": 20}),
    ]
    assert named(calls, "log")[0][0][0] == {"loss": 0.5}
    assert named(calls, "define_metric") == [((), {"name": "acc", "summary": "max"})]
    assert named(calls, "watch") == [(("model",), {})]
    assert len(named(calls, "finish")) == 1


def test_wandb_goes_on_with_the_run_of_the_checkpoint(install, tmp_path):
    first = MessageHub.get_instance("first")
    backend, calls = start_wandb(install, tmp_path)
    backend.add_config(Config(dict(a=1)))
    assert named(calls, "init") == []
    backend.add_scalars({"loss": 1.0}, step=5)
    assert named(calls, "init") == [((), {"dir": str(tmp_path)})]
    assert named(calls, "config.update") == [(({"a": 1},), {"allow_val_change": True})]

    hub = MessageHub.get_instance("second")
    hub.load_state_dict(first.state_dict())
    backend, calls = start_wandb(install, tmp_path, step=30)
    for iteration in (19, 29, 39):
        hub.update_info("iter", iteration)
        backend.add_scalars({"loss": 1.0}, step=iteration + 1)
    assert named(calls, "init") == [((), {"dir": str(tmp_path), "id": "abc", "resume": "allow"})]
    assert [kwargs["step"] for _, kwargs in named(calls, "log")] == [30, 40]


def test_mlflow(install, tmp_path):
    calls = install("mlflow", get_experiment_by_name=lambda name: None)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.json").write_text("{}")
    (tmp_path / "b.pth").write_text("")
    backend = MLflowVisBackend(str(tmp_path), exp_name="e", run_name="r", tags={"t": 1})
    config = Config(
        dict(a=dict(b=1), c=[dict(d=2), 3], long="x" * 900, **{f"k{i}": i for i in range(120)})
    )
    config.work_dir = str(tmp_path)
    backend.add_config(config)
    backend.add_scalars({"loss": torch.tensor(0.5), "text": "no"}, step=3)
    backend.add_scalar("x", 1, 4)
    backend.add_image("img", IMAGE, 2)
    backend.close()
    params = {}
    for args, _ in named(calls, "log_params"):
        assert len(args[0]) <= 100
        params |= args[0]
    assert params["a.b"] == "1"
    assert (params["c.0.d"], params["c.1"]) == ("2", "3")
    assert len(params["long"]) == 500
    assert named(calls, "set_tracking_uri") == [((tmp_path.as_uri(),), {})]
    assert named(calls, "create_experiment") == [(("e",), {"artifact_location": None})]
    assert named(calls, "log_metrics") == [(({"loss": 0.5}, 3), {})]
    assert named(calls, "log_artifact") == [((str(tmp_path / "run" / "a.json"), "run"), {})]
    assert len(named(calls, "end_run")) == 1
    with pytest.raises(AssertionError, match="the step is among the scalars"):
        backend.add_scalars({"step": 1})


def test_clearml(install, tmp_path):
    calls = install("clearml")
    (tmp_path / "a.py").write_text("")
    backend = ClearMLVisBackend(init_kwargs={"project_name": "p"})
    config = Config(dict(a=1))
    config.work_dir = str(tmp_path)
    backend.add_config(config)
    backend.add_scalars({"loss": 0.5}, step=3)
    backend.add_image("img", IMAGE, 2)
    backend.close()
    names = [call[0] for call in calls]
    task = "Task.init()"
    assert names == [
        "Task.init",
        f"{task}.get_logger",
        f"{task}.connect_configuration",
        f"{task}.get_logger().report_scalar",
        f"{task}.get_logger().report_image",
        f"{task}.upload_artifact",
        f"{task}.close",
    ]
    assert calls[3][2] == {"title": "loss", "series": "loss", "value": 0.5, "iteration": 3}


def test_neptune(install):
    install("neptune.types")
    calls = install("neptune")
    backend = NeptuneVisBackend()
    backend.add_config(Config(dict(a=1)))
    backend.add_scalars({"loss": 0.5}, step=3)
    backend.add_image("img", IMAGE, 2)
    backend.close()
    assert calls[0] == ("init_run", (), {"mode": "offline"})
    assert calls[2] == ("init_run()[loss].append", (0.5,), {"step": 3})
    assert calls[-1][0] == "init_run().stop"


def test_dvclive(install, tmp_path):
    calls = install("dvclive")
    (tmp_path / "a.json").write_text("")
    backend = DVCLiveVisBackend(str(tmp_path))
    backend.add_config(Config(dict(a=(1, np.float32(2.0)), b=None)))
    backend.add_scalars({"loss": torch.tensor(0.5)}, step=3)
    backend.add_image("img", IMAGE, 2)
    backend.close()
    assert calls[0][2] == {"dir": str(tmp_path), "save_dvc_exp": True, "cache_images": True}
    assert calls[1] == ("Live().log_params", ({"a": [1, 2.0], "b": "None"},), {})
    assert calls[2] == ("Live().log_metric", ("loss", 0.5), {})
    assert [call[0] for call in calls[-2:]] == ["Live().log_artifact", "Live().end"]


def test_aim(install):
    calls = install("aim")
    backend = AimVisBackend("work/20260101/vis_data")
    backend.add_config(Config(dict(a=1)))
    backend.add_scalars({"loss": torch.tensor(0.5)}, step=3)
    backend.add_image("img", IMAGE, 2)
    backend.close()
    assert calls[0] == ("Run", (), {"experiment": "20260101_vis_data"})
    assert calls[1] == ("Run()[hparams]=", ({"a": 1},), {})
    assert calls[2] == ("Run().track", (), {"name": "loss", "value": 0.5, "step": 3})


@pytest.mark.parametrize(
    ("kind", "package", "install_name"),
    [
        (WandbVisBackend, "wandb", "mainspring[wandb]"),
        (MLflowVisBackend, "mlflow", "mainspring[mlflow]"),
        (TensorboardVisBackend, "torch.utils.tensorboard", "mainspring[tensorboard]"),
        (ClearMLVisBackend, "clearml", "clearml"),
        (NeptuneVisBackend, "neptune.types", "neptune"),
        (DVCLiveVisBackend, "dvclive", "dvclive"),
        (AimVisBackend, "aim", "aim"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, tmp_path, kind, package, install_name):
    monkeypatch.setitem(sys.modules, package, None)
    backend = kind(str(tmp_path))
    backend.close()
    with pytest.raises(ImportError) as caught:
        backend.add_config(Config(dict(a=1)))
    assert f"{kind.__name__} needs " in str(caught.value)
    assert str(caught.value).endswith(f"help: pip install {install_name}")


def test_tensorboard_writes_event_files(tmp_path):
    backend = TensorboardVisBackend(str(tmp_path))
    backend.add_config(Config(dict(a=1)))
    backend.add_scalars({"loss": torch.tensor(0.5), "n": np.int64(3)}, step=7)
    backend.add_image("img", IMAGE, 2)
    with pytest.warns(UserWarning, match="text is a str, not a number"):
        backend.add_scalar("text", "x")
    with pytest.raises(AssertionError, match="the step is among"):
        backend.add_scalars({"step": 1})
    backend.close()

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(7, 0.5)]
    assert [(event.step, event.value) for event in events.Scalars("n")] == [(7, 3.0)]
    assert events.Tags()["images"] == ["img"]


def test_a_backend_of_ones_own_is_started_at_its_first_use():
    from mainspring.visualization.vis_backend import force_init_env

    class Mine(BaseVisBackend):
        starts = 0

        def _init_env(self):
            self.starts += 1
            if self.starts == 1:
                raise OSError("not yet")

        @property
        @force_init_env
        def experiment(self):
            return "mine"

        @force_init_env
        def add_scalar(self, name, value, step=0, **kwargs):
            return name, value, step

    backend = Mine("x")
    assert backend.starts == 0
    with pytest.raises(OSError, match="not yet"):
        backend.add_scalar("a", 1, step=2)
    assert backend.add_scalar("a", 1, step=2) == ("a", 1, 2)
    assert backend.experiment == "mine"
    assert backend.starts == 2
    with pytest.raises(TypeError, match="abstract"):
        BaseVisBackend("x")
