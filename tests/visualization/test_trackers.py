"""Trackers get what a run records; when they fail, the run goes on."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from mainspring.config import Config
from mainspring.logging import MessageHub, MMLogger
from mainspring.output import note_secrets
from mainspring.visualization import (
    AimVisBackend,
    BaseVisBackend,
    ClearMLVisBackend,
    DVCLiveVisBackend,
    MLflowVisBackend,
    NeptuneVisBackend,
    TensorboardVisBackend,
    TrackioVisBackend,
    Visualizer,
    WandbVisBackend,
)
from prepared_processes import run

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
    assert named(calls, "define_metric") == [(("acc",), {"summary": "max"})]
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
    with pytest.warns(UserWarning, match="text is a str, not a number: MLflowVisBackend"):
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
        (TrackioVisBackend, "trackio", "mainspring[trackio]"),
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


def test_trackio_starts_with_the_config_at_the_first_record(install):
    calls = install("trackio")
    backend = TrackioVisBackend("work/digits/20260101_000000/vis_data")
    backend.add_config(Config(dict(a=(1, 2))))
    assert calls == []
    backend.add_scalars({"loss": torch.tensor(0.5), "lr": 0.1}, step=3)
    backend.add_image("img", IMAGE, 2)
    backend.close()
    assert calls[0] == (
        "init",
        (),
        {"project": "digits", "name": "20260101_000000", "config": {"a": [1, 2]},
         "resume": "allow", "embed": False},
    )  # fmt: skip
    assert calls[1] == ("init().log", ({"loss": 0.5, "lr": 0.1},), {"step": 3})
    assert calls[-1][0] == "finish"


TRACKERS = {
    AimVisBackend: ("aim",),
    ClearMLVisBackend: ("clearml",),
    DVCLiveVisBackend: ("dvclive",),
    MLflowVisBackend: ("mlflow",),
    NeptuneVisBackend: ("neptune", "neptune.types"),
    TensorboardVisBackend: ("torch.utils.tensorboard",),
    TrackioVisBackend: ("trackio",),
    WandbVisBackend: ("wandb",),
}
"""All trackers, with the modules that they import. `LocalVisBackend` has tests of its own."""

every_tracker = pytest.mark.parametrize("kind", TRACKERS, ids=lambda kind: kind.__name__)


def record_everything(backend):
    """Everything that a run sends, in its order."""
    backend.add_config(Config(dict(lr=0.1, token="hunter2-hunter2")))
    backend.add_scalars({"train/loss": torch.tensor(0.5), "n": np.int64(2)}, step=7)
    backend.add_scalar("val/acc", 0.75, step=8)
    backend.add_image("sample", IMAGE, step=9)
    backend.close()


@every_tracker
def test_a_tracker_is_sent_names_values_and_steps(install, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("SOME_TOKEN", "hunter2-hunter2")
    note_secrets()
    calls = install(TRACKERS[kind][0])
    for module in TRACKERS[kind][1:]:
        install(module)
    if kind is WandbVisBackend:
        backend, calls = start_wandb(install, tmp_path)
    else:
        backend = kind(str(tmp_path))
    assert calls == []
    record_everything(backend)
    sent = repr(calls)
    for word in ("train/loss", "0.5", "val/acc", "0.75", "sample", "7", "8"):
        assert word in sent
    assert "tensor(" not in sent
    assert "hunter2" not in sent
    monkeypatch.undo()
    note_secrets()


@every_tracker
def test_a_tracker_that_was_not_used_starts_nothing(install, tmp_path, kind):
    calls = [install(module) for module in TRACKERS[kind]]
    kind(str(tmp_path)).close()
    assert not any(calls)


@every_tracker
@pytest.mark.parametrize("error", [RuntimeError, ImportError, OSError, KeyError])
def test_a_tracker_that_fails_is_switched_off_and_said_once(
    monkeypatch, tmp_path, caplog, kind, error
):
    tries = []

    class Broken(ModuleType):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            tries.append(name)
            raise error("the network is gone")

    for module in TRACKERS[kind]:
        monkeypatch.setitem(sys.modules, module, Broken(module))
    said = []
    logger = SimpleNamespace(warning=lambda text, **_: said.append(text))
    monkeypatch.setattr(MMLogger, "get_current_instance", lambda: logger)
    local = dict(type="LocalVisBackend")
    tracker = dict(type=kind.__name__)
    shown = Visualizer(vis_backends=[tracker, local], save_dir=str(tmp_path))
    record_everything(shown)
    assert said == [
        (
            f"{kind.__name__} failed and is switched off for the rest of this run: "
            f"{error.__name__}: {error('the network is gone')}"
        )
    ]
    assert len(tries) == 1
    assert (tmp_path / "vis_data" / "scalars.json").read_text().count("\n") == 2


REAL = {
    AimVisBackend: lambda folder: dict(init_kwargs=dict(repo=folder)),
    ClearMLVisBackend: lambda folder: dict(init_kwargs=dict(project_name="p", task_name="t")),
    DVCLiveVisBackend: lambda folder: dict(init_kwargs=dict(save_dvc_exp=False, dvcyaml=None)),
    TrackioVisBackend: lambda folder: dict(init_kwargs=dict(project="contract")),
}
"""Arguments with which the real package stays on this machine; without an entry, none."""


@every_tracker
def test_the_real_package_takes_it_where_it_is_installed(tmp_path, monkeypatch, kind):
    """In a process of its own: trackers start threads and patch what they can."""
    package = TRACKERS[kind][0].partition(".")[0].replace("torch", "tensorboard")
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    arguments = REAL.get(kind, lambda folder: {})(str(tmp_path / "tracker"))
    program = f"""
import sys
import numpy as np, torch
sys.path.insert(0, {str(Path(__file__).parent)!r})
from mainspring.config import Config
from mainspring.visualization import {kind.__name__}
if {kind.__name__!r} == "ClearMLVisBackend":
    import clearml
    clearml.Task.set_offline(offline_mode=True)
backend = {kind.__name__}(save_dir={str(tmp_path / "run")!r}, **{arguments!r})
backend.add_config(Config(dict(lr=0.1, kinds=(1, "a"), model=dict(type="Net", act=None))))
backend.add_scalars({{"train/loss": torch.tensor(0.5), "n": np.int64(2)}}, step=7)
backend.add_scalar("val/acc", 0.75, step=8)
backend.add_image("sample", np.zeros((4, 5, 3), dtype=np.uint8), step=9)
backend.close()
print("recorded")
"""
    environment = {
        **os.environ,
        "WANDB_MODE": "offline",
        "NEPTUNE_MODE": "offline",
        "TRACKIO_DIR": str(tmp_path / "trackio"),
        "HOME": str(tmp_path),
        "MLFLOW_ALLOW_FILE_STORE": "true",
    }
    done = run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert (done.returncode, "recorded" in done.stdout) == (0, True), done.stderr
