"""The modules of a model on its first batch: shapes, parameters, FLOPs; the memory of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mainspring.checkpoint.apply import unwrap
from mainspring.columns import in_columns, with_unit
from mainspring.hooks.run import Run
from mainspring.hooks.run_state import wrappers_of
from mainspring.model.samples import batch_size
from mainspring.structures.nested import tensors_in
from mainspring.tools.profiling.operations import flop_counter
from mainspring.tools.profiling.planned_run import PlannedTrial, run_trial
from mainspring.tools.profiling.report import bytes_as_text
from mainspring.tools.trial import EnoughError

__all__ = ["ModuleRow", "Summary", "summary_as_text", "summary_of"]


@dataclass
class ModuleRow:
    """A module.

    Attributes:
        name: Its name in the model; empty for the model itself.
        kind: Name of its class.
        shape: Shape of its first output; ``None`` if it was not called, or gave no tensor.
        calls: How often it was called.
        parameters: Parameters in it, those of modules inside included.
        trained: Those of them that are trained.
        flops: Floating-point operations of its forward pass, a product and its sum counting two.
    """

    name: str
    kind: str
    shape: list[int] | None = None
    calls: int = 0
    parameters: int = 0
    trained: int = 0
    flops: int = 0

    def _note(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        """Note a call, as a hook of the module."""
        self.calls += 1
        first = output[0] if isinstance(output, tuple | list) and output else output
        if self.shape is None and isinstance(first, Tensor):
            self.shape = list(first.shape)


@dataclass
class Summary:
    """A model and what a training step on one batch takes.

    Attributes:
        modules: Its modules, the model first.
        batch: Samples of the batch; ``None`` if that cannot be told.
        flops: Floating-point operations of the forward pass.
        backward_flops: Those of the backward pass.
        memory: Bytes by what they hold: ``parameters``, ``buffers``, ``gradients``, ``optimizer``
            (after its first step) and ``activations`` (kept for the backward pass).
    """

    modules: list[ModuleRow]
    batch: int | None
    flops: int
    backward_flops: int
    memory: dict[str, int]


def summary_of(cfg: Any) -> Summary:
    """Look at the model of a config while it makes one training step.

    Args:
        cfg: The config; not changed, as its work directory is not.

    Raises:
        ConfigError: The config has a mistake, or the model makes no step.
        Exception: Whatever the model raises.
    """
    watch = _Look()
    run_trial(cfg, watch, 1)
    assert watch.found is not None
    return watch.found


class _Look(PlannedTrial):
    """Makes one step with counters around it, and ends the run."""

    def __init__(self) -> None:
        self.found: Summary | None = None

    def batch_came(self, runner: Run, data_batch: Any) -> None:
        self.found = _summary(unwrap(runner.model), data_batch, runner.optim_wrapper)
        raise EnoughError


class _Stepper:
    """Stands for the optimizer wrapper, or for several: goes back, and updates nothing."""

    def __init__(
        self, optim_wrapper: Any, going_back: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._real = optim_wrapper
        self._going_back = going_back

    def __getitem__(self, name: str) -> _Stepper:
        return _Stepper(self._real[name], self._going_back)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def optim_context(self, model: nn.Module) -> Any:
        real = getattr(self._real, "optim_context", None)  # which casts, if the run does
        return nullcontext() if real is None else real(model)

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        self.backward(loss)

    def scale_loss(self, loss: Tensor) -> Tensor:
        return loss

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        with self._going_back():
            loss.backward(**kwargs)  # type: ignore[no-untyped-call]  # - torch leaves it untyped

    def step(self, **kwargs: Any) -> None:
        """Update nothing."""

    zero_grad = step


def _summary(model: nn.Module, batch: Any, optim_wrapper: Any) -> Summary:
    rows: dict[str, ModuleRow] = {}
    handles = []
    counter = flop_counter()
    backward = 0
    is_going_back = False

    def counters_of(row: ModuleRow) -> tuple[Callable[..., None], Callable[..., None]]:
        """Hooks around a module, which need not be called by its parent, as in a GAN."""
        began: list[int] = []

        def before(*_: Any) -> None:
            began.append(counter.get_total_flops())

        def after(*_: Any) -> None:
            took = counter.get_total_flops() - began.pop()
            row.flops += 0 if is_going_back else took  # what is computed anew is not forward

        return before, after

    for name, module in model.named_modules():
        sizes = [(it.numel(), it.requires_grad) for it in module.parameters()]
        trained = sum(size for size, is_trained in sizes if is_trained)
        total = sum(size for size, _ in sizes)
        row = ModuleRow(name, type(module).__name__, parameters=total, trained=trained)
        rows[name] = row
        before, after = counters_of(row)
        handles.append(module.register_forward_pre_hook(before))
        handles.append(module.register_forward_hook(after))
        handles.append(module.register_forward_hook(row._note))
    activations: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            activations[storage.data_ptr()] = storage.nbytes()
        return tensor

    @contextmanager
    def going_back() -> Iterator[None]:
        nonlocal backward, is_going_back
        before, is_going_back = counter.get_total_flops(), True
        yield
        backward, is_going_back = backward + counter.get_total_flops() - before, False

    step: Any = model.train_step
    with counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step(batch, _Stepper(optim_wrapper, going_back))
    for handle in handles:
        handle.remove()
    flops = counter.get_total_flops() - backward
    rows[""].flops = flops  # a step of its own need not call the model
    memory = {
        "parameters": _bytes(model.parameters()),
        "buffers": _bytes(model.buffers()),
        "gradients": _bytes(it for it in model.parameters() if it.requires_grad),
        "optimizer": _state_bytes(optim_wrapper),
        "activations": sum(activations.values()),
    }
    return Summary(list(rows.values()), _samples_in(batch), flops, backward, memory)


def _samples_in(batch: Any) -> int | None:
    try:
        return batch_size(batch)
    except TypeError:
        return len(batch) if isinstance(batch, list) else None


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _state_bytes(optim_wrapper: Any) -> int:
    """What optimizers remember after a step with the gradients that are there."""
    total = 0
    for _, wrapper in wrappers_of(optim_wrapper):
        optimizer = getattr(wrapper, "optimizer", None)
        if isinstance(optimizer, torch.optim.Optimizer):
            optimizer.step()  # the run ends here, so the weights are nobody's any more
            total += _bytes(tensors_in(list(optimizer.state.values())))
    return total


def summary_as_text(found: Summary, depth: int = 3) -> str:
    """A table of the modules, and what the whole model takes.

    Args:
        found: The summary.
        depth: How deep to go into modules.
    """
    total = found.flops or 1
    rows = [("module", "class", "output", "parameters", "FLOPs", "")]
    for row in found.modules:
        level = row.name.count(".") + 1 if row.name else 0
        if level > depth or (not row.calls and not row.parameters):
            continue
        name = "  " * level + (row.name.rpartition(".")[2] if row.name else "model")
        shape = "" if row.shape is None else " x ".join(map(str, row.shape))
        frozen = " frozen" if row.parameters and not row.trained else ""
        size = f"{row.parameters:,}{frozen}" if row.parameters else ""
        flops, share = (
            (with_unit(row.flops).rstrip(), f"{row.flops / total:.0%}") if row.flops else ("", "")
        )
        rows.append((name, row.kind, shape, size, flops, share))
    model = found.modules[0]
    frozen_count = model.parameters - model.trained
    trained = (
        f"{model.trained:,} trained, {frozen_count:,} frozen" if frozen_count else "all trained"
    )
    per_batch = "" if found.batch is None else f"for a batch of {found.batch}"
    memory = {name: count for name, count in found.memory.items() if count}
    whole = "of a training step, parameters included, at least"
    facts = [
        (
            "parameters",
            f"{model.parameters:,}",
            f"{bytes_as_text(memory.pop('parameters', 0))}, {trained}",
        ),
        ("forward", f"{with_unit(found.flops)}FLOPs", per_batch),
        ("backward", f"{with_unit(found.backward_flops)}FLOPs", ""),
        *((name, bytes_as_text(count), "") for name, count in memory.items()),
        ("memory", bytes_as_text(sum(found.memory.values())), whole),
    ]
    return "\n".join([*in_columns(rows, right=(3, 4, 5)), "", *in_columns(facts)])
