"""What is exported computes what the model does, for batches of any size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mainspring.checkpoint.safetensors_files import read_safetensors
from mainspring.cli.main import main
from mainspring.names.packages import is_installed
from mainspring.runner import save_checkpoint

IMPORTS = """
from torch import nn
from exported import Head, Pixels, Points, Probabilities, Stubborn
from mainspring.dataset import DataLoader
from mainspring.model import ImgDataPreprocessor, Supervised
"""
NORMALISED = "Head(ImgDataPreprocessor(mean=[100.0], std=[50.0], pad_size_divisor=4))"


@pytest.fixture
def export(tmp_path, monkeypatch, capfd):
    """Export a model; returns exit code, what was said, and the eager model."""
    monkeypatch.syspath_prepend(Path(__file__).parent)

    def run(model, dataset, *words):
        config = tmp_path / "config.py"
        config.write_text(f"{IMPORTS}model = {model}\ntest_dataloader = DataLoader({dataset})\n")
        names: dict = {}
        exec(IMPORTS, names)
        eager = eval(model, names).eval()
        save_checkpoint({"state_dict": eager.state_dict(), "meta": {}}, str(tmp_path / "w.pth"))
        capfd.readouterr()
        try:
            code = main(["export", str(config), str(tmp_path / "w.pth"), *words])
        except SystemExit as end:
            code = end.code
        out, err = capfd.readouterr()
        return code, out + err, eager

    return run


def test_a_program_has_the_normalisation_and_takes_any_batch(export, tmp_path):
    code, said, eager = export(NORMALISED, "Pixels()", "--to", "torch")
    assert code == 0, said
    assert "input inputs: uint8 (batch, 3, 5, 6)" in said
    assert "with normalisation and padding" in said
    assert (
        "torch.export against the model for batches of 2, 3: largest absolute difference 0" in said
    )
    program = torch.export.load(tmp_path / "w.pt2").module()
    pixels = torch.randint(256, (7, 3, 5, 6), dtype=torch.uint8)
    normalised = nn.functional.pad((pixels.float() - 100) / 50, (0, 2, 0, 3))
    torch.testing.assert_close(program(pixels), eager(normalised))


def test_a_model_says_what_is_exported(export, tmp_path):
    code, said, eager = export("Probabilities()", "Points()", "--to", "torch")
    assert code == 0, said
    assert "input points: float32 (batch, 4)" in said
    scores, labels = torch.export.load(tmp_path / "w.pt2").module()(torch.ones(5, 4))
    torch.testing.assert_close(scores, eager.layer(torch.ones(5, 4) / 10).softmax(1))
    assert labels.equal(scores.argmax(1))


def test_weights_are_those_of_the_network(export, tmp_path):
    model = "Supervised(nn.Linear(4, 3), nn.CrossEntropyLoss())"
    out = str(tmp_path / "only.safetensors")
    words = ["--to", "safetensors", "--out", out, "~test_dataloader"]
    code, said, eager = export(model, "Points()", *words)
    assert code == 0, said
    assert "no effect" not in said
    code, said, eager = export(model, "Points()", *words, "--batch-size", "2")
    assert (code, "--batch-size have no effect" in said) == (0, True)
    found = read_safetensors(out)["state_dict"]
    assert sorted(found) == ["bias", "weight"]
    assert torch.equal(found["weight"], eager.net.weight)


def test_what_cannot_be_exported_is_refused_with_what_to_do(export):
    model = "Supervised(Stubborn(), nn.CrossEntropyLoss())"
    code, said, _ = export(model, "Points()", "--to", "torch")
    assert code == 2
    assert "this model cannot be exported for a batch of any size" in said
    assert "export_forward" in said


@pytest.mark.skipif(is_installed("onnxscript"), reason="the package is there")
def test_a_missing_package_is_named(export):
    model = "Supervised(nn.Linear(4, 3), nn.CrossEntropyLoss())"
    code, said, _ = export(model, "Points()", "--to", "onnx")
    assert code == 2
    assert "pip install mainspring[onnx]" in said


@pytest.mark.filterwarnings("ignore")
def test_onnxruntime_computes_the_same(export, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    code, said, eager = export(NORMALISED, "Pixels()", "--to", "onnx")
    assert code == 0, said
    assert "onnxruntime against the model for batches of 2, 3" in said
    session = runtime.InferenceSession(str(tmp_path / "w.onnx"))
    pixels = torch.randint(256, (7, 3, 5, 6), dtype=torch.uint8)
    normalised = nn.functional.pad((pixels.float() - 100) / 50, (0, 2, 0, 3))
    (found,) = session.run(None, {"inputs": pixels.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), eager(normalised))
