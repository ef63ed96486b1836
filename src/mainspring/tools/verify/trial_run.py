"""From a user's config to the run of a trial, which leaves the user's files and services alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.hooks import CheckpointHook
from mainspring.hooks.run import Run
from mainspring.hooks.run_state import generator_digests
from mainspring.tools.trial import as_trial, build_runner, with_workers
from mainspring.tools.verify.job import Job, NotApplicableError

__all__ = ["GeneratorWatch", "Gradients", "nature_of", "rebuilt", "run_of", "without_dropout"]

_RENDEZVOUS_SECONDS = 300
_MOST_GRADIENT_VALUES = 100_000_000


def run_of(cfg: Any, job: Job) -> Any:
    """The run of a trial, whose hooks write into its work directory only.

    Args:
        cfg: The user's config; not changed.
        job: The trial.
    """
    changes: dict[str, Any] = {"resume": job.resume is not None, "load_from": job.resume}
    if job.world_size:
        environment = dict(cfg.get("env_cfg") or {})
        environment.pop("backend", None)
        environment["dist_cfg"] = {"backend": "gloo", "timeout": _RENDEZVOUS_SECONDS}
        changes |= {"launcher": "pytorch", "env_cfg": environment}
    runner = build_runner(as_trial(cfg, job.work_dir, **changes))
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            hook.out_dir = hook.backend_args = hook.file_client_args = None
    return runner


def rebuilt(section: Any, workers: int) -> Any:
    """The section of a training loader with another number of workers.

    Args:
        section: The section; not changed.
        workers: Number of processes that load; 0 for none.

    Raises:
        NotApplicableError: It is no section but a ready loader.
    """
    changed = with_workers(section, workers)
    if changed is section:
        raise NotApplicableError("train_dataloader is a ready loader, which cannot be rebuilt")
    return changed


def without_dropout(model: nn.Module) -> None:
    """Let a model that is compared with differently shaped batches drop nothing.

    Args:
        model: The model; changed.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        for name in ("dropout", "drop_prob", "drop_path_prob"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


class Gradients:
    """Keeps the gradients of the first steps of an optimizer, as many as fit.

    Attributes:
        tensors: ``gradient``, number of the step from 1, and name of the parameter, to the tensor.

    Args:
        model: The model, maybe in its wrapper.
        wrapper: The wrapper of the optimizer.

    Raises:
        NotApplicableError: There are several optimizers.
    """

    def __init__(self, model: nn.Module, wrapper: Any) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._model = unwrap(model)
        self._steps = 0
        self._kept = 0
        optimizer = getattr(wrapper, "optimizer", None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise NotApplicableError("several optimizers train the model, each in steps of its own")
        optimizer.register_step_pre_hook(self._take)

    def _take(self, *_: Any) -> None:
        self._steps += 1
        if self._kept > _MOST_GRADIENT_VALUES:
            return
        for name, parameter in self._model.named_parameters():
            if parameter.grad is not None:
                self._kept += parameter.numel()
                copied = parameter.grad.detach().to("cpu", copy=True)
                self.tensors[f"gradient {self._steps} {name}"] = copied


def nature_of(runner: Run) -> dict[str, Any]:
    """What in a run can make batches of other sizes differ, and how exactly it computes.

    Args:
        runner: The run, whose model is in training mode.

    Returns:
        ``batch_norms``, names of such modules, and ``low_precision``.
    """
    model = unwrap(runner.model)
    norms = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        and not isinstance(module, nn.SyncBatchNorm)
        and module.training
    ]
    types = {parameter.dtype for parameter in model.parameters() if parameter.requires_grad}
    wrapper = runner.optim_wrapper
    kind = wrapper.get("type") if isinstance(wrapper, Mapping) else type(wrapper)
    is_low = "Amp" in str(kind) or bool(types & {torch.float16, torch.bfloat16})
    return {"batch_norms": norms, "low_precision": is_low}


class GeneratorWatch:
    """Notices whether random numbers were drawn.

    Attributes:
        moved: Whether they were, between any `begin` and `end`.
    """

    def __init__(self) -> None:
        self.moved = False
        self._before: dict[str, str] = {}

    def begin(self) -> None:
        """From here on."""
        self._before = generator_digests()

    def end(self) -> None:
        """Until here."""
        self.moved |= self._before != generator_digests()
