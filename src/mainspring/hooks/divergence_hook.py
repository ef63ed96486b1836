"""Stops a training whose weights are no numbers any more, before it is saved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mainspring.checkpoint import LAST_CHECKPOINT, find_resumable_checkpoint
from mainspring.checkpoint.apply import unwrap
from mainspring.dist import all_reduce, get_rank, get_world_size
from mainspring.errors import ConfigError, MainspringError, did_you_mean
from mainspring.hooks.hook import DATA_BATCH, Hook, Outputs
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.registry import HOOKS
from mainspring.replacing import replacing
from mainspring.structures.nested import tensors_in

__all__ = ["DivergenceError", "DivergenceHook"]

_POLICIES = ("raise", "warn", "skip", "rollback")


class DivergenceError(MainspringError, FloatingPointError):
    """The weights of the model are NaN or infinite."""


@HOOKS.register_module()
class DivergenceHook(Hook):
    """Looks whether the loss is a number, every few iterations, and the weights when it is not.

    Weights that are NaN or infinite never recover, and neither does a run that goes on with them.
    They are looked for before each checkpoint as well, so that none of them is ever saved. Between
    two looks nothing is read from the device. A loss that is no number while the weights are, such
    as an overflow that a gradient scaler takes care of, is reported and may pass once.

    Args:
        interval: Iterations from one look at the loss to the next.
        policy: ``"raise"`` stops the run; ``"warn"`` says it once and goes on; ``"rollback"`` goes
            back to weights and optimizer state of the last checkpoint and on with the batches that
            come next, so that those since the checkpoint are left out; ``"skip"`` leaves out each
            step whose gradients are no numbers, which reads one number from the device in every
            step, and stops the run if the weights are none all the same.
        max_rollbacks: How often to go back before the run is stopped.
        trace: Whether to look at every iteration, at what every module gives and at every gradient;
            for finding a cause, as it slows training down.
        priority: Place among the hooks of a point; by default that of the class.

    Raises:
        DivergenceError: The weights are no numbers, or the loss was none in two looks in a row.

    Example:
        >>> default_hooks = dict(divergence=DivergenceHook(policy="rollback", max_rollbacks=2))
    """

    priority: int | str | Priority = "ABOVE_NORMAL"

    def __init__(
        self,
        interval: int = 10,
        policy: Literal["raise", "warn", "skip", "rollback"] = "raise",
        max_rollbacks: int = 3,
        *,
        trace: bool = False,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        if policy not in _POLICIES:
            raise ConfigError(
                f"policy is {policy!r}",
                help=did_you_mean(policy, _POLICIES) or f"it is one of {', '.join(_POLICIES)}",
            )
        if policy != "rollback":
            self._without_effect('without policy="rollback"', max_rollbacks=max_rollbacks != 3)
        if trace:
            self._without_effect("beside trace", interval=interval not in (1, 10))
        self.interval = 1 if trace else interval
        self.trace = trace
        self._trace: _NonFiniteTrace | None = None
        self.policy = policy
        self.max_rollbacks = max_rollbacks
        self.rollbacks = 0
        self._suspicious = False
        self._warned = False

    def before_run(self, runner: Run) -> None:
        """Have steps left out, if that is the policy."""
        if self.policy == "skip":
            for wrapper in by_optimizer(runner.optim_wrapper).values():
                if hasattr(wrapper, "update_params"):  # else nothing is trained
                    wrapper.skips_non_finite = True

    def before_train(self, runner: Run) -> None:
        """Begin to trace, if asked to."""
        self._warned = False
        if self.trace:
            self._trace = _NonFiniteTrace(unwrap(runner.model))

    def after_train(self, runner: Run) -> None:
        """Trace no longer."""
        if self._trace is not None:
            self._trace.close()
            self._trace = None

    def abandon(self, runner: Run, mode: str) -> None:
        """Trace no longer."""
        if mode == "train":
            self.after_train(runner)

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Look at the loss when it is time to."""
        began = None if self._trace is None else self._trace.take()
        if (runner.iter + 1) % self.interval or not outputs:
            return
        loss = outputs.get("loss")
        is_none = loss is not None and not math.isfinite(float(loss))
        if began is not None:
            # A gradient may have been the first, while the loss still was a number.
            is_none = is_none or _first_bad(runner.model) is not None
        if not _on_any_rank(is_none):
            self._suspicious = False
            return
        bad = _first_bad(runner.model)
        if bad is not None or self._suspicious:
            self._diverged(runner, bad, data_batch, began)
            return
        self._suspicious = True
        runner.logger.warning(
            f"the loss is {loss if loss is None else float(loss)} after iteration "
            f"{runner.iter + 1}, while the weights are numbers: it may be a single overflow"
            + (f" ({began})" if began else "")
        )

    def before_save_checkpoint(self, runner: Run, checkpoint: dict[str, Any]) -> None:
        """Let no checkpoint be written whose weights are no numbers (all ranks)."""
        bad = _first_bad(runner.model)
        if bad is not None:
            self._diverged(runner, bad, None, checkpoint=checkpoint)

    def _diverged(
        self,
        runner: Run,
        bad: str | None,
        data_batch: Any,
        began: str | None = None,
        checkpoint: dict[str, Any] | None = None,
    ) -> None:
        """Go back, if that is the policy and can be done; else stop, or warn."""
        what = f"the weights are no numbers any more: {bad}" if bad else "the loss is no number"
        known = [f"training diverged: {what}", _first_bad_scalar(runner), began]
        if self.policy == "rollback":
            runner.finish_saving()
            found = find_resumable_checkpoint(runner.work_dir)
            if found is None:
                known.append("there is no checkpoint to go back to")
            elif self.rollbacks >= self.max_rollbacks:
                known.append(f"max_rollbacks={self.max_rollbacks} times it went back before")
            else:
                runner.roll_back(found.path, checkpoint)
                self.rollbacks += 1
                self._suspicious = False
                runner.logger.warning(
                    f"training diverged before iteration {runner.iter + 2}: "
                    f"{bad or 'the loss is no number'}. Weights and optimizer are those of "
                    f"{found.path} again, and the batches since then are left out "
                    f"({self.rollbacks} of {self.max_rollbacks} times)"
                )
                return
        message = "; ".join(filter(None, known))
        if self.policy == "warn":
            if not self._warned:
                runner.logger.error(message)
            self._warned = True
            return
        if data_batch is not None:
            path = Path(runner.work_dir) / f"diverged_batch_rank{get_rank()}.pt"
            try:
                with replacing(path) as file:
                    torch.save(data_batch, file)
                message += f"; the batch of iteration {runner.iter + 1} is in {path}"
            except Exception as error:  # noqa: BLE001 - what matters is the divergence
                message += f" (its batch could not be kept: {error})"
        way_on = "no checkpoint was written before, so the run begins anew"
        if (Path(runner.work_dir) / LAST_CHECKPOINT).exists():
            way_on = "resume=True continues from the last checkpoint, which is good"
        if not self.trace:
            way_on += (
                ", and with trace=True for DivergenceHook stops where this began, names the layer "
                "and keeps that batch"
            )
        raise DivergenceError(
            message,
            help="lower the learning rate, warm up, or clip gradients "
            f"(optim_wrapper=dict(clip_grad=1.0, ...)); {way_on}",
        )

    def state_dict(self) -> dict[str, Any]:
        """How often the run went back, and whether the last look found a loss that is no number."""
        return {"rollbacks": self.rollbacks, "suspicious": self._suspicious}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.rollbacks = state_dict["rollbacks"]
        self._suspicious = state_dict.get("suspicious", False)


def _on_any_rank(is_bad: bool) -> bool:
    """Whether something holds on one of the ranks (all ranks)."""
    if get_world_size() == 1:
        return is_bad
    flag = torch.tensor(int(is_bad))
    all_reduce(flag, "max")
    return bool(flag)


def _first_bad(model: torch.nn.Module) -> str | None:
    """The first parameter with a value that is no number; ``None`` if all are."""
    named = [
        (name, parameter.detach())
        for name, parameter in model.named_parameters()
        if parameter.is_floating_point() and parameter.numel()
    ]
    if not named:
        return None
    # Much faster than the largest value on a CPU. It may overflow, which the rest looks into.
    norm = torch.nn.utils.get_total_norm([values for _, values in named])
    if bool(torch.isfinite(norm)):
        return None
    for name, parameter in named:
        count = int((~torch.isfinite(parameter)).sum())
        if count:
            return f"{count} of {parameter.numel()} values of {name}, the first such parameter"
    return None


def _first_bad_scalar(runner: Run) -> str | None:
    """Which scalar of the training was no number first, and after which iteration, in words.

    Only those that are recorded in every iteration, such as losses and norms of gradients, and as
    far back as their history goes.
    """
    histories = {
        key.removeprefix("train/"): history.data[0]
        for key, history in runner.message_hub.log_scalars.items()
        if key.startswith("train/")
    }
    if "loss" not in histories:
        return None
    length = len(histories["loss"])
    first = {
        name: next(index for index, value in enumerate(values) if not math.isfinite(value))
        for name, values in histories.items()
        if len(values) == length and not math.isfinite(values.sum())
    }
    if not first:
        return None
    # Of several in one iteration, the norm of the gradients is what came last.
    name = min(first, key=lambda name: (first[name], name == "grad_norm", name != "loss"))
    loop = runner.train_loop
    done = int(loop.completed_iters) if hasattr(loop, "completed_iters") else runner.iter + 1
    shown = "the loss" if name == "loss" else name
    iteration = done - (length - 1 - first[name])
    return f"{shown} was no number for the first time after iteration {iteration}"


class _NonFiniteTrace:
    """Watches what each module gives and which gradients arrive, to find the first of no numbers.

    Each is looked at on its device; the findings are read at once, when they are asked for.

    Args:
        model: The model to watch, from now until `close`.
    """

    def __init__(self, model: nn.Module) -> None:
        self._seen: list[tuple[str, Tensor]] = []
        self._handles: list[Any] = []
        for name, module in model.named_modules():
            title = f"{name or 'the model'} ({type(module).__name__})"
            look: Any = partial(self._note, f"the output of {title}")
            self._handles.append(module.register_forward_hook(look))
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                look = partial(self._note, f"the gradient of {name}")
                handle = parameter.register_post_accumulate_grad_hook(look)  # type: ignore[no-untyped-call]  # - torch's
                self._handles.append(handle)

    def _note(self, what: str, *given: Any) -> None:
        """Look at what a module gave, the last of what its hook is given, or at a gradient."""
        values = given[-1].grad if len(given) == 1 else given[-1]
        floating = (tensor for tensor in tensors_in(values) if tensor.is_floating_point())
        tensors = [tensor.detach() for tensor in floating if tensor.numel()]
        if tensors:
            is_nan = torch.stack([tensor.isnan().any() for tensor in tensors]).any()
            is_inf = torch.stack([tensor.isinf().any() for tensor in tensors]).any()
            self._seen.append((what, torch.stack([is_nan, is_inf])))

    def take(self) -> str | None:
        """What was no number first since the last call; ``None`` if all was.

        Infinity is named beside NaN, as masks are often made of it.
        """
        seen, self._seen = self._seen, []
        if not seen:
            return None
        device = seen[-1][1].device
        flags = torch.stack([flag.to(device) for _, flag in seen]).tolist()
        first = []
        for column, kind in enumerate(("NaN", "infinity")):
            having = [what for (what, _), flag in zip(seen, flags, strict=True) if flag[column]]
            first += [f"{what} was the first with {kind}" for what in having[:1]]
        return "; ".join(first) or None

    def close(self) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
