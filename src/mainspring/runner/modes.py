"""Which parts of a model train and which stay in evaluation mode, and what is frozen.

``model.train()`` puts every part into training mode. A part that somebody put into `eval()` for
good, a frozen batch norm for example, would be undone by it at every epoch. So whatever was put
into evaluation mode since the last time stays there; what the model's own ``train`` leaves in
evaluation mode follows the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.logging import print_log

__all__ = ["TrainingModes"]


class TrainingModes:
    """Modes and frozen parameters of the model of a run."""

    def __init__(self) -> None:
        self._kept: WeakSet[nn.Module] = WeakSet()
        self._by_model: WeakSet[nn.Module] = WeakSet()
        self._resumed: Mapping[str, Any] | None = None
        self._is_evaluating = False

    def begin(self, model: nn.Module) -> None:
        """Put a model into training mode for a run, and say which parts stay in evaluation mode.

        A network that comes in evaluation mode as a whole, as ``from_pretrained`` gives it, trains.

        Args:
            model: The model, in its wrapper if it has one.
        """
        root = unwrap(model)
        with_parameters = [module for module in root.modules() if module._parameters]
        if not with_parameters or any(module.training for module in with_parameters):
            self._look(root)
        for name, module in root.named_modules():
            # Nobody decided that, unless its weights are frozen too.
            is_pretrained = hasattr(type(module), "from_pretrained") and module in self._kept
            if is_pretrained and any(p.requires_grad for p in module.parameters()):
                self._kept -= WeakSet(module.modules())
                print_log(f"{name} came in evaluation mode as a whole: it trains", "current")
        kept = list[str]()
        for name, module in root.named_modules():
            if module in self._kept and not any(name.startswith(f"{outer}.") for outer in kept):
                kept.append(name or type(module).__name__)
        if kept:
            print_log(
                f"stays in evaluation mode, as it was put there: {', '.join(kept)}", "current"
            )
        self._train(model)

    def train(self, model: nn.Module) -> None:
        """Put a model into training mode, but for the parts that were put into the other since.

        Args:
            model: The model, in its wrapper if it has one.
        """
        self._look(unwrap(model))
        self._train(model)

    @contextmanager
    def evaluating(self, model: nn.Module, *, then_train: bool) -> Iterator[None]:
        """A block in which a model is evaluated.

        Args:
            model: The model, in its wrapper if it has one.
            then_train: Whether every part has its mode of before again when the block ends, because
                the model is being trained.
        """
        root = unwrap(model)
        self._look(root)
        was_training = root.training
        outer, self._is_evaluating = self._is_evaluating, True
        evaluated = {module for module in root.modules() if not module.training}
        try:
            yield
        finally:
            self._is_evaluating = outer
            if then_train and was_training:
                model.train()
                _set_modes(root, evaluated)

    def state_dict(self, model: nn.Module) -> dict[str, list[str]]:
        """Names of the parts that were put into evaluation mode, and of the frozen parameters.

        Args:
            model: The model, in its wrapper if it has one.
        """
        root = unwrap(model)
        if not self._is_evaluating:
            self._look(root)
        return {
            "evaluated": [name for name, module in root.named_modules() if module in self._kept],
            "frozen": [name for name, p in root.named_parameters() if not p.requires_grad],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave, when `settle` is called."""
        self._resumed = state

    def settle(self, model: nn.Module) -> None:
        """Give the model of a resumed run the modes and frozen parameters of the checkpoint.

        Behind all hooks that act before training: what they do at a start, the checkpoint's run
        has done, and has perhaps undone since.

        Args:
            model: The model, in its wrapper if it has one.
        """
        state, self._resumed = self._resumed, None
        if state is None:
            return
        root = unwrap(model)
        self._look(root)
        before = set(self._kept)
        evaluated = set(state["evaluated"])
        self._kept = WeakSet(module for name, module in root.named_modules() if name in evaluated)
        if before != set(self._kept):
            self._train(model)
        frozen, changed = set(state["frozen"]), list[str]()
        for name, parameter in root.named_parameters():
            if parameter.requires_grad == (name in frozen):
                parameter.requires_grad_(name not in frozen)
                changed.append(f"{name} {'is frozen' if name in frozen else 'is trained'}")
        if changed:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            print_log(
                f"as in the checkpoint, other than at this start: {', '.join(changed[:3])}{more}",
                logger="current",
            )

    def _look(self, root: nn.Module) -> None:
        """Notice what was put into evaluation mode, unless the whole model is."""
        if self._is_evaluating or not root.training:
            return
        self._kept = WeakSet(
            module
            for module in root.modules()
            if not module.training and module not in self._by_model
        )

    def _train(self, model: nn.Module) -> None:
        root = unwrap(model)
        model.train()
        self._by_model = WeakSet(module for module in root.modules() if not module.training)
        _set_modes(root, {*self._kept, *self._by_model})


def _set_modes(root: nn.Module, evaluated: set[nn.Module]) -> None:
    """Give every module its mode, those of its children after its own."""
    for module in root.modules():
        if module.training == (module in evaluated):
            module.train(module not in evaluated)
