"""Runs where standard output is missing, closed or a stand-in; folders that have to be local."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from mainspring.cli.main import main
from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError
from mainspring.fileio.local_folder import local_folder
from mainspring.logging import MMLogger
from mainspring.model import Supervised
from mainspring.output import is_terminal, uses_colour
from mainspring.runner import Runner
from mainspring.utils import ProgressBar


class Tee:
    """What programs put in place of standard output: it writes, and nothing else."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass


class Terminal(io.StringIO):
    def isatty(self):
        return True


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def runner(work_dir, **options):
    data = torch.utils.data.TensorDataset(torch.randn(4, 2), torch.zeros(4).long())
    return Runner(
        model=Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss()),
        work_dir=work_dir,
        train_dataloader=DataLoader(data, batch_size=2),
        train_cfg=dict(max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        **options,
    )


@pytest.mark.parametrize("stream", [None, closed(), Tee()], ids=["none", "closed", "stand-in"])
def test_a_run_needs_no_terminal(stream, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert not is_terminal()
        runner(str(tmp_path)).train()
        if stream is None:
            assert main(["ckpt", "ls", str(tmp_path)]) == 0
            ProgressBar(3).update()
    assert (tmp_path / "epoch_1.pth").exists()
    assert "Saving" in next(tmp_path.glob("*/*.log")).read_text()
    if isinstance(stream, Tee):
        assert "finished in" in stream.text


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_run_needs_on_the_host_is_there_whatever_the_default_device(workers, tmp_path):
    """On ``meta``, to which nothing may go, for an accelerator."""
    data = torch.utils.data.TensorDataset(torch.randn(8, 2), torch.zeros(8).long())
    weights = []
    for device in ("cpu", "meta"):
        torch.manual_seed(0)
        model = Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss())
        two = [DataLoader(data, batch_size=2, shuffle=True, num_workers=workers) for _ in range(2)]
        with torch.device(device):
            Runner(
                model=model,
                work_dir=str(tmp_path / device),
                train_dataloader=dict(type="CombinedLoader", loaders=two, mode="by_share"),
                train_cfg=dict(max_epochs=2),
                optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.1), clip_grad=1.0),
                default_hooks=dict(checkpoint=dict(type="CheckpointHook", async_save=True)),
                randomness=dict(seed=0),
            ).train()
        saved = torch.load(tmp_path / device / "epoch_2.pth", weights_only=False)
        weights.append([model.state_dict(), saved["state_dict"]])
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_colours_are_for_terminals_whose_user_wants_them(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert uses_colour()
    monkeypatch.setenv("NO_COLOR", "1")
    assert is_terminal()
    assert not uses_colour()


def test_a_logger_outlives_the_stream_that_it_wrote_to(capsys, monkeypatch):
    logger = MMLogger("outlives")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        logger.info("into the void")
    logger.info("here again")
    said = capsys.readouterr()
    assert "here again" in said.out
    assert "void" not in said.out + said.err


@pytest.mark.parametrize("url", ["s3://bucket/run", "GS://b", "hdfs://host/x", "file:///tmp/x"])
def test_a_url_as_work_dir_is_refused_with_what_writes_to_storage(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="work_dir") as caught:
        runner(url)
    assert url in str(caught.value)
    assert "out_dir" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_paths_with_colons_are_no_urls(tmp_path):
    for path in (str(tmp_path / "a:b"), "12:30", r"C:/run"):
        assert local_folder(path, "work_dir") == path
    with pytest.raises(ConfigError, match="--work-dir"):
        local_folder(Path("s3://bucket/run"), "--work-dir")


def test_a_checkpoint_saved_by_hand_to_a_url_goes_to_storage(tmp_path, monkeypatch):
    pytest.importorskip("fsspec")
    monkeypatch.chdir(tmp_path)
    run = runner(str(tmp_path / "run"))
    run.train()
    run.save_checkpoint("memory://by_hand/last.pth")
    assert not [path for path in tmp_path.rglob("*") if "memory" in path.name]
