"""A train loop that switches between phases of training and validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from mainspring.errors import ConfigError
from mainspring.registry import LOOPS
from mainspring.runner.loops import EpochBasedTrainLoop
from mainspring.runner.run_length import is_whole

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["WorkflowTrainLoop"]


@LOOPS.register_module()
class WorkflowTrainLoop(EpochBasedTrainLoop):
    """Switch between phases of training and validation as a workflow says (MMCV 1.x).

    ``workflow=[("train", 2), ("val", 1)]`` trains two epochs, validates once, and starts over until
    `max_epochs` epochs are trained. A validation phase reports losses beside the metrics, so that
    it needs no evaluator.

    Args:
        runner: The runner that carries out the loop.
        dataloader: A loader, or the dict to build it from.
        max_epochs: Number of training epochs.
        workflow: Pairs of phase (``"train"`` or ``"val"``) and how many times it runs.

    Example:
        >>> train_cfg = dict(
        ...     type="WorkflowTrainLoop", max_epochs=6, workflow=[("train", 2), ("val", 1)]
        ... )
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: Iterable[Any] | Mapping[str, Any],
        max_epochs: int,
        workflow: Sequence[tuple[str, int]] = (("train", 1),),
    ) -> None:
        super().__init__(runner, dataloader, max_epochs)
        pairs = workflow if isinstance(workflow, list | tuple) else ()
        if not all(map(_is_phase, pairs)) or not any(p == "train" and n > 0 for p, n in pairs):
            hint = "list pairs such as ('train', 2) and ('val', 1), at least one of them 'train'"
            raise ConfigError.of_value("train_cfg.workflow", workflow, hint)
        self.workflow = [(str(phase), int(times)) for phase, times in pairs]
        self._phase = 0
        self._times_done = 0

    def run(self) -> torch.nn.Module:
        """Carry out the workflow until all epochs are trained; returns the model."""
        runner = self.runner
        if any(phase == "val" for phase, _ in self.workflow):
            if runner.val_loop is None:
                raise ConfigError(
                    "the workflow has a val phase, but there is no val_dataloader",
                    config_path="train_cfg.workflow",
                    help="set val_dataloader and val_cfg=dict(compute_loss=True)",
                )
            runner.val_loop.compute_loss = True
        self._begin("before_train", again=self._iter > 0)
        while self._epoch < self._max_epochs and not self.stop_training:
            phase, times = self.workflow[self._phase]
            while self._times_done < times and not self.stop_training:
                if phase == "train" and self._epoch == self._max_epochs:
                    break
                self.run_epoch() if phase == "train" else self._validate()
                self._times_done += 1
            self._phase = (self._phase + 1) % len(self.workflow)
            self._times_done = 0
        runner.call_hook("after_train")
        return runner.model

    def state_dict(self) -> dict[str, int]:
        """The position, with the phase of the workflow and how often it has run."""
        just_finished = self.completed_epochs - self._epoch
        return {
            **super().state_dict(),
            "phase": self._phase,
            "times": self._times_done + just_finished,
        }

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a position that `state_dict` recorded."""
        super().load_state_dict(state)
        self._phase = state.get("phase", 0)
        self._times_done = state.get("times", 0)


def _is_phase(pair: Any) -> bool:
    is_pair = isinstance(pair, list | tuple) and len(pair) == 2
    return is_pair and pair[0] in ("train", "val") and is_whole(pair[1])
