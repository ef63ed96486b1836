"""What the parts of a run remember in their attributes, kept with checkpoints.

What is found but cannot be saved is said when a checkpoint is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader as TorchDataLoader

from mainspring.checkpoint.apply import unwrap
from mainspring.dataset.any_loader import workers_stand_ready
from mainspring.dataset.order.order_start import LoaderState
from mainspring.logging import print_log, warn
from mainspring.object_state.inner_state import InnerState
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.runner.evaluation import EvaluationSet
from mainspring.runner.state import own_classes
from mainspring.runner.state.loader_memory import LoaderMemory, TrainingData, workers_draw_on
from mainspring.runner.state.model_structure import ModelStructure

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["InnerStates"]

_MOST_NAMED = 20
_BEGINS_ANEW = (bool, str, bytes, list, tuple, dict, set)
"""What hooks keep of what they have done to this process, and must do to the next one again (flags,
names), and what they record of it for themselves (collections)."""


class InnerStates:
    """The states of the parts of a run that no `state_dict` has.

    Attributes:
        model: How what the model and its optimizers are made of has changed.

    Args:
        runner: The run, before its weights are loaded.

    Raises:
        ConfigError: What the training has seen cannot be known.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.model = ModelStructure(
            lambda: unwrap(runner.model),
            lambda: {
                name: getattr(wrapper, "optimizer", None)
                for name, wrapper in by_optimizer(runner.optim_wrapper).items()
            },
        )
        loader: Any = getattr(runner.train_loop, "dataloader", None)
        self._data, self._loader = TrainingData(loader, runner.sample_rng), LoaderState(loader)
        hooks, loops = dict(own_classes.own_hooks(runner)), dict(own_classes.own_loops(runner))
        optimizers = dict(own_classes.own_optimizers(runner))
        parts: dict[str, Any] = {"model": unwrap(runner.model)}
        for one in self._data.loaders:
            parts |= one.parts()
        parts |= optimizers
        evaluated = dict(self._evaluation_parts())
        self._of_parts = InnerState(
            lambda: parts,
            data=[one.title for one in self._data.loaders],
            elsewhere=lambda: own_classes.kept_of_optimizers(runner),
            inside=optimizers,
        )
        self._of_hooks = InnerState(
            lambda: hooks,
            depth=1,
            elsewhere=lambda: own_classes.within_parts_of_run(runner),
            inside=hooks,
            has_own_modules=True,
        )
        self._of_loops = InnerState(
            lambda: loops,
            inside=loops,
            elsewhere=lambda: own_classes.parts_of_run(runner),
            names_elsewhere=set().union(*map(own_classes.names_used_by_engine, loops.values())),
        )
        self._states = {
            "parts": self._of_parts,
            "hooks": self._of_hooks,
            "evaluated": InnerState(
                lambda: evaluated,
                data=evaluated,
                elsewhere=lambda: own_classes.parts_of_run(runner),
            ),
            "loops": self._of_loops,
        }
        self._said: set[str] = set()

    def begin_pass(self) -> None:
        """Note what an epoch of the training begins with."""
        self._data.begin_pass()
        self.model.begin_pass()

    def capture(self) -> dict[str, Any]:
        """The states now, with a warning about what cannot be saved."""
        kept = {name: state.capture() for name, state in self._states.items()}
        of_hooks = kept["hooks"]
        anew = [
            path
            for path, state in of_hooks.items()
            if state["kind"] == "value" and isinstance(state["state"], _BEGINS_ANEW)
        ]
        self._say_once_what_begins_anew(anew)
        self._say_once_what_is_lost()
        kept["hooks"] = {
            path: {**state, "first": self._of_hooks.first_number(path)}
            for path, state in of_hooks.items()
            if path not in anew
        }
        standing = [workers_stand_ready(one.dataloader) for one in self._evaluation_sets()]
        return {**kept, "evaluation": standing}

    def of_parts(self) -> dict[str, Any]:
        """What model and training data remember now that they did not at first."""
        return self._of_parts.capture()

    def restore(self, states: Mapping[str, Any]) -> None:
        """Put states back, with a warning about what does not fit.

        Args:
            states: What `capture` gave.
        """
        of_hooks = {  # a number that is another one at first today is what is written today
            path: kept
            for path, kept in states["hooks"].items()
            if kept.get("first") in (None, self._of_hooks.first_number(path))
        }
        kept = {**states, "hooks": of_hooks}
        lost = [
            path
            for name, state in self._states.items()
            for path in state.restore(kept.get(name, {}))
        ]
        had_workers = states.get("evaluation", ())
        for one, had in zip(self._evaluation_sets(), had_workers, strict=False):
            one.had_workers = bool(had)
        if lost:
            warn(
                f"the checkpoint's state of {_some(lost, ', ')} finds no place in this run: what "
                "it belongs to has to be made in __init__, or in before_run of a hook"
            )

    def _evaluation_sets(self) -> list[EvaluationSet]:
        loop = self._runner._parts.get("val_loop")
        if loop is None or hasattr(loop, "sets"):
            return getattr(loop, "sets", [])
        loader = getattr(loop, "dataloader", None)  # of a loop of the user's own
        return [EvaluationSet("", loader, getattr(loop, "evaluator", None))]

    def _evaluation_parts(self) -> Iterator[tuple[str, Any]]:
        """What validations may find otherwise than the one before: metrics, data, orders."""
        for one in self._evaluation_sets():
            title = f"val {one.name}".strip()
            yield f"{title} evaluator", one.evaluator
            loader = one.dataloader
            if not isinstance(loader, TorchDataLoader):
                yield f"{title} loader", loader
                continue
            yield from LoaderMemory(loader, title, self._runner.sample_rng).parts()
            names = ("generator", "batch_sampler", "sampler")
            yield f"{title} order", {name: getattr(loader, name) for name in names}

    def _say_once_what_begins_anew(self, paths: list[str]) -> None:
        new = [path for path in paths if path not in self._said]
        if new:
            self._said.update(new)
            print_log(
                f"not in the checkpoints: {', '.join(new)}. Flags, text and collections of a "
                "hook begin anew when a run is resumed, unless the hook has a state_dict",
                logger="current",
            )

    def _say_once_what_is_lost(self) -> None:
        new = {path: why for path, why in self._lost().items() if path not in self._said}
        if new:
            self._said.update(new)
            found = _some([f"{path} ({why})" for path, why in new.items()], "; ")
            warn(f"not in the checkpoints, so that a resumed run may differ: {found}")

    def _lost(self) -> dict[str, str]:
        """What is found but not saved, by path: why."""
        done = getattr(self._runner.train_loop, "completed_iters", self._runner.iter)
        lost = self._of_parts.unsaved(done) | self._loader.unsaved() | self._of_hooks.unsaved()
        lost |= self._of_loops.unsaved(done) | self._data.lost()
        loaders = (one.dataloader for one in self._evaluation_sets())
        if any(workers_draw_on(loader, is_planned=False) for loader in loaders):
            why = "persistent workers go on with theirs from one to the next"
            lost["random numbers of the workers of the validation"] = why
        exchanged = self.model.exchanged().items()
        return lost | {path: f"a {kind} that the run has put there" for path, kind in exchanged}


def _some(names: list[str], between: str) -> str:
    more = [f"and {len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return between.join(names[:_MOST_NAMED] + more)
