"""Writes programs and weights, and holds them against the model."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mainspring.checkpoint.safetensors_files import read_safetensors, write_safetensors
from mainspring.errors import ConfigError
from mainspring.model import merged_adapters
from mainspring.names.packages import import_optional, is_installed
from mainspring.replacing import replacing
from mainspring.structures.nested import tensors_in
from mainspring.tools.export.target import ExportTarget, batches_of

__all__ = ["FORMATS", "Parity", "export_model", "export_weights"]

FORMATS = {"onnx": ".onnx", "torch": ".pt2", "safetensors": ".safetensors"}
"""Formats, and how files of them end."""
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4


@dataclass(frozen=True)
class Parity:
    """How far what was written is from the model.

    Attributes:
        runtime: What ran it; empty where nothing could.
        difference: The largest absolute difference of an output.
        is_close: Whether all outputs are within 0.1 % and 1e-4.
        sizes: The batches that were tried.
    """

    runtime: str
    difference: float = 0.0
    is_close: bool = True
    sizes: tuple[int, ...] = ()


def export_model(
    target: ExportTarget, path: Path, to: str, *, batch_size: int | None = None
) -> Parity:
    """Write a model, and compare what was written with it.

    Args:
        target: What to export.
        path: The file.
        to: ``"onnx"`` or ``"torch"``.
        batch_size: A fixed size of batches; any by default.

    Raises:
        ConfigError: The model cannot be exported.
        MissingPackageError: A package that the format needs is not installed.
    """
    if to == "onnx":
        import_optional("onnxscript", "the export to ONNX", "mainspring[onnx]")
    sizes = (2, 3) if batch_size is None else (batch_size,)
    program = _program(target, batches_of(target.examples, sizes[0]), batch_size is None)
    if to == "torch":
        packed = io.BytesIO()  # torch aborts the process where a disk is full
        torch.export.save(program, packed)
        with replacing(path) as file:
            file.write(packed.getbuffer())
        packed.seek(0)
        run: Callable[..., Any] = torch.export.load(packed).module()
        return _parity(target, "torch.export", run, sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            program,
            f=str(path),
            input_names=list(target.names),
            dynamo=True,
            verbose=False,
            external_data=False,
        )
    if not is_installed("onnxruntime"):
        return Parity("")
    return _parity(target, "onnxruntime", _onnx_session(path), sizes)


def _program(target: ExportTarget, examples: tuple[Tensor, ...], any_size: bool) -> Any:
    batch = torch.export.Dim("batch")
    shapes = (tuple({0: batch} for _ in examples),) if any_size else None
    try:
        with torch.no_grad():
            return torch.export.export(target.module, examples, dynamic_shapes=shapes)
    except Exception as error:
        reason = str(error).strip().split("\n", 1)[0]
        size = "a batch of any size" if any_size else f"batches of {len(examples[0])}"
        raise ConfigError(
            f"this model cannot be exported for {size}: {type(error).__name__}: {reason}",
            config_path="model",
            help="try --batch-size 1, or give the model export_forward(...) without Python that "
            "depends on values",
        ) from error


def _onnx_session(path: Path) -> Callable[..., list[Tensor]]:
    runtime = import_optional("onnxruntime", "the comparison with ONNX", "mainspring[onnx]")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]

    def run(*inputs: Tensor) -> list[Tensor]:
        arrays = {name: given.numpy() for name, given in zip(names, inputs, strict=True)}
        return [torch.as_tensor(output) for output in session.run(None, arrays)]

    return run


def _parity(
    target: ExportTarget, runtime: str, run: Callable[..., Any], sizes: Sequence[int]
) -> Parity:
    worst, is_close = 0.0, True
    for size in sizes:
        examples = batches_of(target.examples, size)
        with torch.no_grad():
            expected = list(tensors_in(target.module(*examples)))
            found = list(tensors_in(run(*examples)))
        is_close &= len(expected) == len(found)
        for left, right in zip(expected, found, strict=False):
            worst = max(worst, float((left.double() - right.double()).abs().max()))
            is_close &= torch.allclose(left, right, _RELATIVE, _ABSOLUTE)
    return Parity(runtime, worst, is_close, tuple(sizes))


def export_weights(model: Any, path: Path) -> Parity:
    """Write the weights of a model, those of adapters merged, as safetensors, and read them back.

    Args:
        model: The model.
        path: The file.
    """
    model = merged_adapters(model.cpu())
    own = getattr(model, "net", model) if type(model).__name__ == "Supervised" else model
    state = own.state_dict()
    write_safetensors(state, path, {})
    read = read_safetensors(path)["state_dict"]
    same = all(torch.equal(tensor, read[name]) for name, tensor in state.items())
    return Parity("safetensors", 0.0 if same else float("nan"), same)
