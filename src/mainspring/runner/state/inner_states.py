"""What the model, the training data and hooks remember in their attributes, kept with checkpoints.

What is found but cannot be saved is said when a checkpoint is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import IterableDataset

from mainspring.checkpoint.apply import unwrap
from mainspring.dataset.any_loader import loaders_inside
from mainspring.dataset.order.order_start import LoaderState
from mainspring.dataset.workers.tensor_rows import draws_nothing
from mainspring.dataset.workers.worker_reports import state_of_data
from mainspring.device.inner_state import InnerState
from mainspring.errors import ConfigError
from mainspring.hooks import Hook
from mainspring.logging import print_log, warn
from mainspring.rng.own_generators import generators_in
from mainspring.runner.evaluation import EvaluationSet
from mainspring.runner.state.hook_states import named_hooks

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["InnerStates"]

_MOST_NAMED = 20
_BEGINS_ANEW = (bool, str, bytes, list, tuple, dict, set)
"""What hooks keep of what they have done to this process, and must do to the next one again (flags,
names), and what they record of it for themselves (collections)."""


class InnerStates:
    """The states of the parts of a run that no `state_dict` has.

    Args:
        runner: The run, before its weights are loaded.

    Raises:
        ConfigError: What the training has seen cannot be known.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        loader: Any = getattr(runner.train_loop, "dataloader", None)
        self._data: dict[str, Any] = {"dataset": getattr(loader, "dataset", None)}
        # What workers do to their copies is not known here; a stream begins each pass anew.
        in_workers = getattr(loader, "num_workers", 0) + getattr(loader, "threads", 0) > 0
        if in_workers and not getattr(loader, "in_order", True):
            raise ConfigError(
                "in_order=False gives batches in the order in which workers finish: nobody could "
                "say which of them a checkpoint has seen, so the run could not be resumed",
                config_path="train_dataloader.in_order",
                help="leave it out for the training data; for validation it is fine",
            )
        is_stream = isinstance(self._data["dataset"], IterableDataset)
        parts: dict[str, Any] = {"model": unwrap(runner.model)}
        if not in_workers and not is_stream:
            parts |= self._data
        if not in_workers:
            parts["collate_fn"] = getattr(loader, "collate_fn", None)
        self._is_copied = in_workers and not (
            is_stream and not getattr(loader, "persistent_workers", False)
        )
        hooks = {  # a user's own, which leave it to the engine to find what they remember
            name: hook
            for name, hook in named_hooks(runner).items()
            if not type(hook).__module__.startswith("mainspring.")
            and getattr(type(hook), "state_dict", None) in (None, Hook.state_dict)
        }
        self._of_parts = InnerState(lambda: parts, data={"dataset"})
        self._of_hooks = InnerState(lambda: hooks, depth=1, elsewhere=lambda: _parts_of(runner))
        self._of_loader = LoaderState(loader)
        self._said: set[str] = set()
        one_stream_each = getattr(loader, "sample_rng", runner.sample_rng) == "worker"
        self._tells_of_copies = one_stream_each and not is_stream
        self._seeds_items = not one_stream_each and not is_stream
        self._streams_go_on = _goes_on_in_workers(loader) or any(
            _goes_on_in_workers(each, is_inside=True) for each in loaders_inside(loader)
        )

    def capture(self) -> dict[str, Any]:
        """The states now, with a warning about what cannot be saved."""
        of_hooks = self._of_hooks.capture()
        anew = [
            path
            for path, kept in of_hooks.items()
            if kept["kind"] == "value" and isinstance(kept["state"], _BEGINS_ANEW)
        ]
        self._say_what_is_lost(anew)
        return {
            "parts": self._of_parts.capture(),
            "hooks": {
                path: {**kept, "first": self._of_hooks.first_number(path)}
                for path, kept in of_hooks.items()
                if path not in anew
            },
            "evaluation": [one.has_workers for one in self._evaluation_sets()],
        }

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
        lost = self._of_parts.restore(states["parts"]) + self._of_hooks.restore(of_hooks)
        for one, had_workers in zip(
            self._evaluation_sets(), states.get("evaluation", ()), strict=False
        ):
            one.had_workers = bool(had_workers)
        if lost:
            warn(
                f"the checkpoint's state of {_some(lost, ', ')} finds no place in this run: what "
                "it belongs to has to be made in __init__, or in before_run of a hook"
            )

    def _is_seeded(self, value: Any) -> bool:
        """Whether something of the data set is a generator that workers seed for each item."""
        return self._seeds_items and any(one is value for one in generators_in(value))

    def _evaluation_sets(self) -> list[EvaluationSet]:
        return getattr(self._runner._parts.get("val_loop"), "sets", [])

    def _say_what_is_lost(self, anew: Iterable[str]) -> None:
        done = getattr(self._runner.train_loop, "completed_iters", self._runner.iter)
        lost = self._of_parts.unsaved(done)
        lost |= {**self._of_loader.unsaved(), **self._of_hooks.unsaved()}
        if self._is_copied:
            in_data = InnerState(lambda: self._data, data=self._data)
            what = "each worker process goes on with a copy of its own"
            own = [] if self._tells_of_copies else in_data.generators(but=self._is_seeded)
            lost |= in_data.unsaved() | dict.fromkeys(own, what)
            if self._tells_of_copies and not state_of_data(self._data["dataset"])[1]:
                lost["what the data set remembers in workers"] = "it has too many parts"
        if self._streams_go_on:
            lost["random numbers of workers"] = (
                "persistent workers go on with theirs from epoch to epoch"
            )
        beginning = [path for path in anew if path not in self._said]
        if beginning:
            self._said.update(beginning)
            print_log(
                f"not in the checkpoints: {', '.join(beginning)}. Flags, text and collections of a "
                "hook begin anew when a run is resumed, unless the hook has a state_dict",
                logger="current",
            )
        new = {path: what for path, what in lost.items() if path not in self._said}
        self._said |= set(new)
        if new:
            found = _some([f"{path} ({what})" for path, what in new.items()], "; ")
            warn(f"not in the checkpoints, so that a resumed run may differ: {found}")


def _goes_on_in_workers(loader: Any, *, is_inside: bool = False) -> bool:
    """Whether the workers of a loader draw numbers that nobody seeds anew or brings along."""
    if (
        not isinstance(loader, TorchDataLoader)
        or not (loader.num_workers and loader.persistent_workers)
        or draws_nothing(loader.dataset, loader.collate_fn)
    ):
        return False
    if isinstance(loader.dataset, IterableDataset):
        return True
    has_plan = type(loader).__iter__ is TorchDataLoader.__iter__ and not is_inside
    return not hasattr(loader, "load_state_dict") and not has_plan


def _some(names: list[str], between: str) -> str:
    more = [f"and {len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return between.join(names[:_MOST_NAMED] + more)


def _parts_of(runner: Runner) -> Iterator[Any]:
    """What a hook may hold of its run, and others save."""
    loops = (runner._parts.get(f"{mode}_loop") for mode in ("train", "val", "test"))
    for part in (runner, *vars(runner).values(), *runner._parts.values(), *loops):
        yield part
        yield from vars(part).values() if hasattr(part, "__dict__") else ()
    yield from runner.model.modules()
