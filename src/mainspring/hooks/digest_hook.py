"""Records digests of all that an iteration consists of, to find where two runs part."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mainspring.dist import get_rank, get_world_size, is_main_process
from mainspring.errors import ConfigError
from mainspring.hooks.hook import DATA_BATCH, Hook, Outputs
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.hooks.run_state import generator_digests, named_state, named_weights, wrappers_of
from mainspring.logging.digests import DIGEST_FORMAT, Record, digest_file_name
from mainspring.registry import HOOKS
from mainspring.structures.bit_digest import bit_digests
from mainspring.structures.nested_digest import nested_digests
from mainspring.visualization.vis_backend.line_file import LineFile

__all__ = ["DigestHook"]


@HOOKS.register_module()
class DigestHook(Hook):
    """Records digests of batch, losses, generators, optimizer and weights every few iterations.

    ``mainspring diverge`` compares those of two runs. Each rank appends a line for an iteration to
    ``digests_rank{rank}.jsonl`` in the log directory, for the first and the last iteration as well.
    The states of the generators, the batch and the settings of the optimizer are those before the
    step; the rest is what the step left. Digests of the model, of its optimizer and of averaged
    weights (`EMAHook`) are those of rank 0. Within a group of micro-batches, where the weights do
    not change, each rank records the gradients that it has summed up so far. Between two records
    nothing is read from the device, and no random number is drawn.

    Args:
        interval: Iterations from one record to the next.
        gradients: Whether to record gradients as well, as the optimizer gets them: unscaled and
            clipped.
        priority: Place among the hooks of a point; by default that of the class, which is after
            the schedulers and before checkpoints.

    Raises:
        ConfigError: `interval` is no positive whole number.

    Example:
        >>> custom_hooks = [DigestHook(interval=10, gradients=True)]
    """

    priority: int | str | Priority = "LOW"

    def __init__(
        self,
        interval: int = 1,
        gradients: bool = False,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        given: Any = interval
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise ConfigError(
                f"DigestHook: interval is {interval!r}", help="give a whole number > 0"
            )
        self._take_priority(priority)
        self.interval = interval
        self.gradients = gradients
        self._file: LineFile | None = None
        self._record: Record | None = None
        self._recorded = 0
        self._handles: list[Any] = []

    def before_train(self, runner: Run) -> None:
        """Begin the file, with the weights that training starts from."""
        earlier = len(list(Path(runner.work_dir).glob(f"*/{digest_file_name(get_rank())}")))
        self._file = _opened(runner)
        self._recorded = runner.iter
        self._write(
            {
                "digests": DIGEST_FORMAT,
                "start": runner.iter,
                "earlier_starts": earlier,
                "rank": get_rank(),
                "world_size": get_world_size(),
                "seed": runner.seed,
                "interval": self.interval,
                "torch": torch.__version__,
                "device": str(next(runner.model.parameters(), torch.empty(0)).device.type),
                "threads": torch.get_num_threads(),
            }
        )
        if is_main_process():
            self._write({"iteration": runner.iter, **_state_digests(runner)})
            if self.gradients:
                self._watch_gradients(runner)

    def before_train_iter(self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Take the digests of what goes into an iteration, if it is to be recorded."""
        done = runner.iter + 1
        if done % self.interval and done not in (1, runner.max_iters):
            self._record = None
            return
        self._record = {
            "generators": generator_digests(),
            "batch": nested_digests(data_batch, "batch"),
            "settings": dict(_settings(runner.optim_wrapper)),
        }

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Write the record of the iteration."""
        record, self._record = self._record, None
        if record is None:
            return
        record["values"] = _exact_values(outputs or {})
        within_group = any(
            getattr(wrapper, "_accumulative_counts", 1) > 1 and not wrapper.should_update()
            for _, wrapper in wrappers_of(runner.optim_wrapper)
        )
        if within_group or (self.gradients and is_main_process() and "gradients" not in record):
            # The gradients of a group of micro-batches that is not complete are still there.
            record["gradients"] = _gradient_digests(runner.model)
        if is_main_process():
            record |= _state_digests(runner)
        self._recorded = runner.iter + 1
        self._write({"iteration": self._recorded, **record})

    def after_train(self, runner: Run) -> None:
        """Record the weights that training ends with, where it ended before its last iteration."""
        if runner.iter > self._recorded and is_main_process():
            self._write({"iteration": runner.iter, **_state_digests(runner)})
        self._close()

    def abandon(self, runner: Run, mode: str) -> None:
        """Watch no longer, and close the file."""
        if mode == "train":
            self._close()

    def _close(self) -> None:
        while self._handles:
            self._handles.pop().remove()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _watch_gradients(self, runner: Run) -> None:
        """The step clears gradients, so they are read when the optimizer begins it."""

        def read(optimizer: Any, *_: Any) -> None:
            if self._record is not None:
                found = _gradient_digests(runner.model, optimizer)
                self._record.setdefault("gradients", {}).update(found)

        for _, wrapper in wrappers_of(runner.optim_wrapper):
            if hasattr(wrapper.optimizer, "register_step_pre_hook"):
                self._handles.append(wrapper.optimizer.register_step_pre_hook(read))

    def _write(self, content: Mapping[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(content) + "\n")

    def __del__(self) -> None:
        file: LineFile | None = getattr(self, "_file", None)
        if file is not None:
            file.close()


def _opened(runner: Run) -> LineFile | None:
    """The file of this rank; ``None`` where none can be written, which must not end a training."""
    path = os.path.join(runner.log_dir, digest_file_name(get_rank()))
    try:
        os.makedirs(runner.log_dir, exist_ok=True)
        return LineFile(path)
    except OSError as error:
        runner.logger.warning(f"no digests are recorded: {path} cannot be written: {error}")
        return None


def _state_digests(runner: Run) -> Record:
    """Digests of the weights and of the optimizer's state, with one transfer for all."""
    tensors: dict[tuple[str, str], Tensor] = {}
    found: Record = {"weights": {}, "optimizer": {}}
    for kind, name, value in named_state(runner):
        kind = {"average": "averages", "optimizer": "optimizer"}.get(kind, "weights")
        found.setdefault(kind, {})
        if isinstance(value, Tensor):
            tensors[kind, name] = value
        else:
            found[kind].update(nested_digests(value, name))
    for (kind, name), digest in zip(tensors, bit_digests(list(tensors.values())), strict=True):
        found[kind][name] = digest
    return found


def _settings(optim_wrapper: Any) -> Iterator[tuple[str, str]]:
    """Learning rate, weight decay and so on: of each group of parameters, where they differ."""
    for prefix, wrapper in wrappers_of(optim_wrapper):
        groups = wrapper.optimizer.param_groups
        for key in groups[0]:
            if key in ("params", "initial_lr"):
                continue
            values = [_shown(group.get(key)) for group in groups]
            yield f"{prefix}{key}", values[0] if len(set(values)) == 1 else "|".join(values)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return float(value).hex() if isinstance(value, float) else str(value)


def _gradient_digests(model: nn.Module, optimizer: Any = None) -> dict[str, str]:
    """Digests of the gradients that there are; of an optimizer's parameters, or of all."""
    groups = [] if optimizer is None else optimizer.param_groups
    wanted = {id(parameter) for group in groups for parameter in group["params"]}
    named = [
        (name, tensor.grad)
        for _, name, tensor in named_weights(model)
        if tensor.grad is not None and (optimizer is None or id(tensor) in wanted)
    ]
    digests = bit_digests([gradient for _, gradient in named])
    return {name: digest for (name, _), digest in zip(named, digests, strict=True)}


def _exact_values(outputs: Mapping[str, Any]) -> dict[str, str]:
    """Logged numbers in hexadecimal, read from the device at once; digests of other values."""
    numbers = {
        name: value.detach().reshape(())
        for name, value in outputs.items()
        if isinstance(value, Tensor) and value.numel() == 1 and value.is_floating_point()
    }
    found: dict[str, str] = {}
    if numbers:
        device = next(iter(numbers.values())).device
        together = torch.stack([number.to(device, torch.float64) for number in numbers.values()])
        found = {
            name: _exact(number) for name, number in zip(numbers, together.tolist(), strict=True)
        }
    for name, value in outputs.items():
        if isinstance(value, int | float):
            found[name] = _exact(float(value))
        elif name not in found:
            found |= nested_digests(value, name)
    return found


def _exact(number: float) -> str:
    if math.isnan(number):
        return f"nan:{struct.pack('>d', number).hex()}"
    return number.hex()
