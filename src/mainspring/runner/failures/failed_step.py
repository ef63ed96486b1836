"""Says of an error out of a step where it arose: module, iteration, batch, and how to mend it.

All of it is read from the traceback once the step has failed, so that a step costs nothing more.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.errors import MetricError, close_names
from mainspring.model.adapt import LossReturningModel
from mainspring.runner.building.misfits import hooks_by_path, watching_argument
from mainspring.runner.failures.error_places import give_place, place_of
from mainspring.runner.failures.worker_death import explaining_worker_deaths
from mainspring.structures.in_words import in_words

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["explaining_failures"]

_STEPS = ("train_step", "val_step", "test_step", "loss_and_predict")
_OUTPUTS = ("outputs", "output", "logits", "predictions", "preds", "pred", "out")
_STEP_CALL = r"((?:train|val|test)_step)\(\) (?:got|takes|missing)"
_LONGEST = 90


@contextmanager
def explaining_failures(runner: Runner, **options: str) -> Iterator[None]:
    """Add one note to an error that leaves a step of the model or a metric.

    Args:
        runner: The run.
        **options: For `explaining_worker_deaths`, whose errors are explained, too.
    """
    try:
        with explaining_worker_deaths(**options):
            yield
    except Exception as error:
        with suppress(Exception):
            _name_watcher(error, runner)
        give_place(error, runner.cfg)
        with suppress(Exception):  # the error itself is what matters
            failure = _Failure.of(error, runner)
            if failure is not None:
                error.add_note(failure.note(runner))
        raise


def _name_watcher(error: Exception, runner: Runner) -> None:
    """Give the error of a hook that misses a metric the config path where it asks for it."""
    if not isinstance(error, MetricError) or error.config_path is not None:
        return
    frames = traceback.walk_tb(error.__traceback__)
    owners = {id(frame.f_locals.get("self")) for frame, _ in frames}
    for path, hook in hooks_by_path(runner).items():
        argument = watching_argument(hook)
        if id(hook) in owners and hasattr(hook, argument):
            error.config_path = f"{path}.{argument}"


@dataclass
class _Failure:
    """What the frames of a failed step tell.

    Attributes:
        error: What was raised.
        owner: The innermost module of the model, or the metric, that was at work.
        path: Path of the module in the model; empty for the model itself and for metrics.
        step: Name of the step, or of the metric's method.
        frames: From the step on, innermost last.
        mode: ``"test"``, or else ``"val"``.
        batch: What the loader gave.
        index: Index of the batch in its loader, in an evaluation.
    """

    error: Exception
    owner: Any
    path: str
    step: str
    frames: list[FrameType]
    mode: str
    batch: Any = None
    index: int | None = None
    called_with: tuple[Any, ...] = ()

    @classmethod
    def of(cls, error: Exception, runner: Runner) -> _Failure | None:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        model = unwrap(runner.model)
        paths = {id(module): name for name, module in model.named_modules()}
        loops: dict[str, Any] = {}
        metric: tuple[Any, str] | None = None
        modes = [getattr(_owner_of(f), "mode", None) for f in frames if f.f_code.co_name == "run"]
        mode = "test" if "test" in modes else "val"
        for number, frame in enumerate(frames):
            own, name = _owner_of(frame), frame.f_code.co_name
            if "data_batch" in frame.f_locals and "idx" in frame.f_locals and name == "run_iter":
                loops = {"batch": frame.f_locals["data_batch"], "index": frame.f_locals["idx"]}
            if name in _STEPS and isinstance(own, nn.Module):
                frames = frames[number:]
                break
            is_metric = hasattr(own, "evaluate") and hasattr(own, "process")
            if is_metric and name in ("process", "evaluate", "compute_metrics"):
                metric = own, name
        else:
            if metric is None:
                called = re.search(_STEP_CALL, str(error))
                return called and cls(error, model, "", called[1], frames[-1:], mode, **loops)
            batch = loops if metric[1] == "process" else {}
            return cls(
                error, metric[0], "", f"{type(metric[0]).__name__}.{metric[1]}", [], mode, **batch
            )
        inside = [f for f in frames if id(_owner_of(f)) in paths]
        owner = _owner_of(inside[-1]) if inside else model
        failure = cls(error, owner, paths.get(id(owner), ""), name, frames, mode, **loops)
        for frame in inside:
            if _owner_of(frame) is owner and frame.f_code.co_name in ("forward", "_losses"):
                failure.called_with = _arguments(frame)
        return failure

    def note(self, runner: Runner) -> str:
        is_metric = not isinstance(self.owner, nn.Module)
        name = type(self.owner).__name__
        backward = any(frame.f_code.co_name == "backward" for frame in self.frames)
        part = "the backward pass" if backward else self.path or "the model"
        lines = [f"in the metric {name}" if is_metric else f"in {part} ({name})"]
        if not is_metric and self.path:
            shown = repr(self.owner)
            is_short = len(shown) <= _LONGEST and "\n" not in shown
            lines[0] = f"in {self.path} ({shown if is_short else name})"
        if self.called_with:
            lines[0] += f", called with {in_words(self.called_with)}"
        when = f"iteration {runner.iter + 1}"
        if self.step != "train_step":
            when = "after all batches" if self.index is None else f"batch {self.index + 1}"
        lines.append(f"{self.step}, {when}")
        if self.batch is not None:
            lines[-1] += f": the batch is {in_words(self.batch)}"
        output = next(
            (f.f_locals[n] for f in reversed(self.frames) for n in _OUTPUTS if n in f.f_locals),
            None,
        )
        if output is not None:
            lines[-1] += f"; the output is {in_words(output)}"
        lines += self._place(runner, is_metric)
        hint = _hint(self)
        return "\n  ".join([*lines, f"help: {hint}"] if hint else lines)

    def _place(self, runner: Runner, is_metric: bool) -> list[str]:
        """The part of the config that describes the module, as deep as it goes."""
        path = f"{self.mode}_evaluator" if is_metric else "model"
        part = runner.cfg.get(path) if hasattr(runner.cfg, "get") else None
        if part is None:
            return []
        for name in self.path.split("."):
            if not (isinstance(part, Mapping) and isinstance(part.get(name), Mapping)):
                break
            part, path = part[name], f"{path}.{name}"
        place = place_of(runner.cfg, path)
        return [f"described by {path}" + (f" ({place})" if place else "")]


def _owner_of(frame: FrameType) -> Any:
    """The object whose method a frame is: its first argument, usually called ``self``."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None


def _arguments(frame: FrameType) -> tuple[Any, ...]:
    """What the function of a frame was called with, without ``self`` and the mode."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    given = [frame.f_locals.get(name) for name in names[1:] if name != "mode"]
    if code.co_flags & inspect.CO_VARARGS:
        given += frame.f_locals.get(code.co_varnames[len(names)], ())
    return tuple(value for value in given if value is not None)


# How to mend what goes wrong most often


def _hint(failure: _Failure) -> str | None:
    text = f"{type(failure.error).__name__}: {failure.error}"
    where = f"of {failure.path} " if failure.path else ""
    for pattern, advise in _HINTS.items():
        match = re.search(pattern, text)
        if match is not None:
            if isinstance(advise, str):
                return advise.format(where=where, **match.groupdict())
            return advise(match, failure)
    return None


def _too_few_classes(match: re.Match[str], _: _Failure) -> str:
    found = int(match.group(1))
    least = f" (there is a target {found}, so at least {found + 1})" if found >= 0 else ""
    return (
        "the targets are class indices below the number of outputs: give the model as many outputs "
        f"(num_classes) as there are classes{least}, or number the classes from 0"
    )


def _no_gradient(_: re.Match[str], failure: _Failure) -> str:
    if failure.step in ("val_step", "test_step"):
        return (
            "validation and test compute no gradients: put what needs them under `with "
            "torch.enable_grad():`, and detach() what is returned"
        )
    model = unwrap(_owner_of(failure.frames[0]))
    trained = sum(parameter.requires_grad for parameter in model.parameters())
    if not trained:
        return "no parameter of the model requires a gradient: leave some of them unfrozen"
    return (
        "the loss is cut off from the parameters: leave out detach(), item(), numpy() and "
        "torch.no_grad() between the input and the loss"
    )


def _strange_key(match: re.Match[str], failure: _Failure) -> str:
    """A batch with a key that cannot be an argument of forward, or with too many entries."""
    batch = failure.batch if isinstance(failure.batch, Mapping) else ()
    for key in batch:
        if not isinstance(key, str) or key in match.groups():
            return f"the keys of the batch are the names of forward's arguments: rename {key!r}"
    return _wrong_call(match, failure)


def _wrong_call(match: re.Match[str], failure: _Failure) -> str:
    """A function of the model that was called with what it does not take."""
    name = failure.frames[-1].f_code.co_name
    if name == "_losses":
        return "the loss function is called with (outputs, targets): let it take these two"
    if "unexpected keyword argument 'mode'" in match.string:
        return (
            "forward is called with mode='loss', 'predict' or 'tensor': add mode='tensor' to its "
            "parameters, or leave losses to us: Supervised(net, loss)"
        )
    model: Any = unwrap(_owner_of(failure.frames[0]))
    wraps = isinstance(model, LossReturningModel)
    forward = (model._own_class if wraps else type(model)).forward
    takes = [each for each in list(inspect.signature(forward).parameters)[1:] if each != "mode"]
    wrapped = "; a net that takes inputs alone is wrapped: Supervised(net, loss)" if wraps else ""
    batch = failure.batch
    if not isinstance(batch, Mapping) or failure.path:
        called = f"forward takes ({', '.join(takes)}), and is called with the entries of the batch"
        return called + wrapped
    strange = [str(key) for key in batch if key not in takes]
    renamed = [
        f"{key!r} to {near[0]!r}" for key in strange if (near := close_names(key, takes, count=1))
    ]
    what = f"rename {' and '.join(renamed)}" if renamed else "give both the same names"
    return (
        f"the batch has the keys {', '.join(map(str, batch))}, and forward takes "
        f"({', '.join(takes)}): {what}, or let forward take **kwargs"
        f"{wrapped}"
    )


_STEP = "train_step is called with (data, optim_wrapper=...), val_step and test_step with (data)"
_HINTS: dict[str, str | Callable[[re.Match[str], _Failure], str]] = {
    r"shapes cannot be multiplied \(\d+x(?P<given>\d+) and (?P<expected>\d+)x\d+\)": (
        "in_features {where}is {expected}, but its input has {given} features: write "
        "in_features={given}, or change what comes before it"
    ),
    r"to have (?P<expected>\d+) channels, but got (?P<given>\d+) channels": (
        "in_channels {where}is {expected}, but its input has {given} channels: write "
        "in_channels={given}"
    ),
    r"Target (-?\d+) is out of bounds": _too_few_classes,
    r"element 0 of tensors does not require grad": _no_gradient,
    r"(?:dtype to be|scalar type) Long": (
        "cross entropy takes class indices as whole numbers: give targets.long(), or, for numbers "
        "that are no classes, another loss such as nn.MSELoss()"
    ),
    r"should be the same|must have the same dtype|expected scalar type|"
    r"not implemented for '(?:Byte|Long|Int|Short|Char|Bool)'": (
        "input and weights differ in their type: convert the input in the data set or "
        "preprocessor, with .float() (images of bytes: .float() / 255), or the model with "
        ".to(dtype)"
    ),
    r"keywords must be strings|multiple values for (?:keyword )?argument '(\w+)'": _strange_key,
    rf"TypeError: .*{_STEP_CALL}": _STEP,
    r"TypeError: .*(?:unexpected keyword|positional argument)": _wrong_call,
    r"of tensor a \(\d+\) must match|target size|size mismatch|input batch_size": (
        "outputs and targets differ in their shape: let both have the same, e.g. by "
        "output.squeeze(-1)"
    ),
    r"on the same device": (
        "the batch is moved to the model's device for you: register other tensors of the model as "
        "buffers (register_buffer), and create new ones with device=x.device"
    ),
    r"device-side assert": "run on the CPU, or with CUDA_LAUNCH_BLOCKING=1, to see the real error",
    r"out of memory": (
        "a smaller batch_size (mainspring batch-size-find tells which), accumulative_counts, mixed "
        "precision (--amp), or activation checkpointing"
    ),
    r"more than 1 value per channel": (
        "batch norm needs two samples: leave out an incomplete last batch, with drop_last=True in "
        "train_dataloader, or give batches of two or more"
    ),
    r"inplace operation": (
        "something that the gradient needs was overwritten: write x = x + y rather than x += y, "
        "and nn.ReLU() without inplace=True"
    ),
    r"backward through the graph a second time": (
        "a tensor of an earlier iteration is used again: detach() what is kept between iterations"
    ),
}
"""Advice by what the error says; the first that fits counts."""
