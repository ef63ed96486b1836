"""Evaluates and saves with the weights that an optimizer averages itself."""

from __future__ import annotations

from typing import Any

import torch

from mainspring.checkpoint import weights_to_cpu
from mainspring.checkpoint.apply import unwrap
from mainspring.checkpoint.sharded import whole
from mainspring.dist import is_main_process
from mainspring.errors import ConfigError
from mainspring.hooks.ema_hook import EMAHook
from mainspring.hooks.hook import Hook
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.hooks.run_state import wrappers_of
from mainspring.optim.optimizer.two_modes import TwoModes, has_two_modes

__all__ = ["OptimizerModeHook", "two_mode_optimizers"]


class OptimizerModeHook(Hook):
    """Calls ``train()`` and ``eval()`` of optimizers that have both, where they must be called.

    The runner adds it where there is such an optimizer. Validation, test, checkpoints and the model
    that a finished training returns have the weights of ``eval()``. In a checkpoint, those that
    training goes on with are beside them, as with `EMAHook`, in ``ema_state_dict``.

    Switching there and back rounds, so training goes on with a copy of its weights.
    """

    priority: int | str | Priority = "ABOVE_NORMAL"

    def __init__(self) -> None:
        self._trained: list[tuple[torch.Tensor, torch.Tensor]] = []
        """Parameters and what training goes on with, while they are evaluated."""

    def before_run(self, runner: Run) -> None:
        """Refuse an average of the average.

        Raises:
            ConfigError: There is an `EMAHook` as well.
        """
        if any(isinstance(hook, EMAHook) for hook in runner.hooks):
            names = ", ".join(
                type(each).__name__ for each in two_mode_optimizers(runner.optim_wrapper)
            )
            raise ConfigError(
                f"{names} averages the weights itself, and EMAHook would average those that it "
                "trains with once more",
                config_path="custom_hooks",
                help="leave EMAHook out: validation and checkpoints have the optimizer's average",
            )

    def before_train(self, runner: Run) -> None:
        """Train with the weights to train with."""
        self._train(runner)

    def after_train(self, runner: Run) -> None:
        """Leave the weights that are of use."""
        self._evaluate(runner)

    def before_val(self, runner: Run) -> None:
        """Evaluate with the optimizer's average."""
        self._evaluate(runner)

    before_test = before_val

    def after_val(self, runner: Run) -> None:
        """Go back to training."""
        if runner.is_training:
            self._train(runner)

    after_test = after_val

    def abandon(self, runner: Run, mode: str) -> None:
        """Go back to training, whatever ended the evaluation."""
        if mode != "train" and runner.is_training:
            self._train(runner)

    def before_save_checkpoint(self, runner: Run, checkpoint: dict[str, Any]) -> None:
        """Put the weights to evaluate with into ``state_dict``, the trained ones beside it."""
        is_training = not self._trained
        self._evaluate(runner)
        trained = {id(parameter): value for parameter, value in self._trained}
        evaluated, beside = {}, {}
        for name, parameter in unwrap(runner.model).named_parameters(remove_duplicate=False):
            if name in checkpoint["state_dict"] and id(parameter) in trained:
                evaluated[name] = parameter.detach().clone()
                beside[f"module.{name}"] = trained[id(parameter)]
        if is_training:
            self._train(runner)
        if beside:
            on_host = weights_to_cpu if is_main_process() else dict
            checkpoint["state_dict"].update(on_host(whole(evaluated)))
            checkpoint["ema_state_dict"] = on_host(whole(beside))

    def after_load_checkpoint(self, runner: Run, checkpoint: dict[str, Any]) -> None:
        """Go on with the trained weights of a checkpoint."""
        self._trained = []
        if runner._resume:
            weights, trained = checkpoint["state_dict"], checkpoint.get("ema_state_dict", {})
            weights.update({n: trained[key] for n in weights if (key := f"module.{n}") in trained})

    def _evaluate(self, runner: Run) -> None:
        if self._trained:
            return
        self._train(runner)  # saved in an evaluation, the optimizer's state says so
        self._trained = _copies(runner)
        for optimizer in two_mode_optimizers(runner.optim_wrapper):
            if optimizer.state:
                optimizer.eval()

    @torch.no_grad()
    def _train(self, runner: Run) -> None:
        trained, self._trained = self._trained or _copies(runner), []
        for optimizer in two_mode_optimizers(runner.optim_wrapper):
            optimizer.train()
        for parameter, value in trained:
            parameter.copy_(value)


def two_mode_optimizers(optim_wrapper: Any) -> list[TwoModes]:
    """The optimizers that have weights to train with and others to evaluate with.

    Args:
        optim_wrapper: One wrapper, or several by name.
    """
    found = (getattr(wrapper, "optimizer", None) for _, wrapper in wrappers_of(optim_wrapper))
    return [optimizer for optimizer in found if has_two_modes(optimizer)]


def _copies(runner: Run) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The parameters of optimizers that have made a step, with their weights."""
    return [
        (parameter, parameter.detach().clone())
        for optimizer in two_mode_optimizers(runner.optim_wrapper)
        if optimizer.state
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
