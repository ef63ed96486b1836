"""What the model, the training data and hooks remember in their attributes, kept with checkpoints.

What is found but cannot be saved is said when a checkpoint is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import IterableDataset

from mainspring.checkpoint.apply import unwrap
from mainspring.dataset import CombinedLoader, DataLoader
from mainspring.dataset.any_loader import loaders_inside
from mainspring.dataset.collate import owner_of
from mainspring.dataset.order.order_start import LoaderState
from mainspring.dataset.workers.tensor_rows import draws_nothing
from mainspring.dataset.workers.worker_reports import state_of_data
from mainspring.errors import ConfigError
from mainspring.hooks import Hook
from mainspring.logging import print_log, warn
from mainspring.object_state.containers import is_shared
from mainspring.object_state.inner_state import InnerState
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.rng.own_generators import generators_in
from mainspring.runner.evaluation import EvaluationSet
from mainspring.runner.state.hook_states import named_hooks
from mainspring.runner.state.resized_buffers import shapes_of_buffers
from mainspring.structures.nested_digest import nested_digest

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["InnerStates"]

_MOST_NAMED = 20
_OURS = "mainspring."
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
        self._loaders = [
            _Loader(each, name, runner.sample_rng) for name, each in _side_by_side(loader).items()
        ]
        data = {one.title: one.dataset for one in self._loaders}
        parts: dict[str, Any] = {"model": unwrap(runner.model)}
        parts |= {one.title: one.remembered() for one in self._loaders}
        parts |= {
            one.of("collate_fn"): owner_of(getattr(one.loader, "collate_fn", None))
            for one in self._loaders
            if not one.has_workers
        }
        hooks = {  # a user's own, which leave it to the engine to find what they remember
            name: hook
            for name, hook in named_hooks(runner).items()
            if not type(hook).__module__.startswith("mainspring.")
            and getattr(type(hook), "state_dict", None) in (None, Hook.state_dict)
        }
        optimizers = dict(_own_optimizers(runner))
        self._of_parts = InnerState(
            lambda: parts | optimizers,
            data=data,
            elsewhere=lambda: _kept_of_optimizers(runner),
            inside=optimizers,
        )
        self._of_hooks = InnerState(
            lambda: hooks,
            depth=1,
            elsewhere=lambda: _parts_of(runner),
            inside=hooks,
            has_own_modules=True,
        )
        self._of_loader = LoaderState(loader)
        copied = {
            one.title: one.dataset for one in self._loaders if one.is_seen and one.has_workers
        }
        self._of_copied = InnerState(lambda: copied, data=copied)

        def parts_of_run() -> list[Any]:
            return [runner, *vars(runner).values(), *runner.model.modules()]

        evaluated = dict(self._evaluation_parts())
        self._of_evaluation = InnerState(
            lambda: evaluated,
            data=evaluated,
            elsewhere=parts_of_run,
        )
        loops = dict(_own_loops(runner))
        self._of_loops = InnerState(
            lambda: loops,
            inside=loops,
            elsewhere=parts_of_run,
            names_elsewhere={name for loop in loops.values() for name in _used_by_engine(loop)},
        )
        self._shapes = shapes_of_buffers(unwrap(runner.model))
        self._said: set[str] = set()
        self._at_begin: dict[str, str] = {}
        self._made_of: dict[str, str] = {}
        self._streams_go_on = any(_goes_on_in_workers(one.loader) for one in self._loaders) or any(
            _goes_on_in_workers(each, is_inside=True) for each in loaders_inside(loader)
        )

    def begin_pass(self) -> None:
        """Note what the data remember that workers of an epoch get copies of."""
        self._at_begin = self._of_copied_data()
        self._made_of = self._made_of or self._made_of_now()

    def _made_of_now(self) -> dict[str, str]:
        """Kinds of what a resumed run makes as it is described, by path."""
        model = unwrap(self._runner.model)
        made = [*model.named_parameters(), *model.named_modules()]
        kinds = {
            f"model.{name}".rstrip("."): type(one)
            .__name__.removeprefix("Lazy")
            .removeprefix("Uninitialized")
            for name, one in made
        }
        optimizers = by_optimizer(self._runner.optim_wrapper).items()
        return kinds | {
            f"optimizer {name}".strip(): type(getattr(wrapper, "optimizer", None)).__name__
            for name, wrapper in optimizers
        }

    def _of_copied_data(self) -> dict[str, str]:
        """Digests of what the data of this process remember beside the copies in workers."""
        kept = self._of_copied.capture()
        return {path: nested_digest(one["state"]) for path, one in kept.items()}

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
            "evaluated": self._of_evaluation.capture(),
            "loops": self._of_loops.capture(),
        }

    def of_parts(self) -> dict[str, Any]:
        """What model and training data remember now that they did not at first."""
        return self._of_parts.capture()

    def resized_buffers(self) -> list[str]:
        """Names of the buffers that the training has made, or given another shape."""
        now = shapes_of_buffers(unwrap(self._runner.model))
        return [name for name, shape in now.items() if self._shapes.get(name) != shape]

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
        lost += self._of_evaluation.restore(states.get("evaluated", {}))
        lost += self._of_loops.restore(states.get("loops", {}))
        for one, had_workers in zip(
            self._evaluation_sets(), states.get("evaluation", ()), strict=False
        ):
            one.had_workers = bool(had_workers)
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
            of_loader = _Loader(loader, title, self._runner.sample_rng)
            yield of_loader.title, of_loader.remembered()
            order = {
                name: getattr(loader, name) for name in ("generator", "batch_sampler", "sampler")
            }
            yield f"{title} order", order
            if not of_loader.has_workers:
                yield of_loader.of("collate_fn"), owner_of(loader.collate_fn)

    def _say_what_is_lost(self, anew: Iterable[str]) -> None:
        done = getattr(self._runner.train_loop, "completed_iters", self._runner.iter)
        lost = self._of_parts.unsaved(done)
        lost |= {**self._of_loader.unsaved(), **self._of_hooks.unsaved()}
        lost |= self._of_loops.unsaved(done)
        for one in self._loaders:
            lost |= one.lost_in_workers()
        now = self._of_copied_data()
        changed = [
            path for path in {**now, **self._at_begin} if now.get(path) != self._at_begin.get(path)
        ]
        lost |= dict.fromkeys(
            changed, "changed while workers load with a copy of how it was before"
        )
        if any(
            _goes_on_in_workers(one.dataloader, is_inside=True) for one in self._evaluation_sets()
        ):
            lost["random numbers of the workers of the validation"] = (
                "persistent workers go on with theirs from one to the next"
            )
        lost |= {
            path: f"a {kind} that the run has put there"
            for path, kind in self._made_of_now().items()
            if self._made_of
            and self._made_of.get(path) != kind
            and (path.rpartition(".")[0] or path) in self._made_of
        }
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


class _Loader:
    """A loader of training data, and what is known of the data set in its workers.

    Args:
        loader: The loader.
        name: Its name among several; empty for a single one.
        sample_rng: Whose random numbers items draw, where the loader says nothing else.

    Raises:
        ConfigError: What the training has seen cannot be known.

    Attributes:
        has_workers: Whether its items are loaded beside the training.
        is_seen: Whether what this process keeps of the data set counts for items to come.
    """

    def __init__(self, loader: Any, name: str, sample_rng: str) -> None:
        self.loader, self._name = loader, name
        self.title = self.of("dataset")
        self.dataset: Any = getattr(loader, "dataset", None)
        self.has_workers = getattr(loader, "num_workers", 0) + getattr(loader, "threads", 0) > 0
        if (
            self.has_workers
            and not getattr(loader, "in_order", True)
            and not name.startswith("val")
        ):
            raise ConfigError(
                "in_order=False gives batches in the order in which workers finish: nobody could "
                "say which of them a checkpoint has seen, so the run could not be resumed",
                config_path="train_dataloader.in_order",
                help="leave it out for the training data; for validation it is fine",
            )
        is_stream = isinstance(self.dataset, IterableDataset)
        stay = self.has_workers and getattr(loader, "persistent_workers", False)
        # A stream begins each pass anew; workers of torch that stay never see a change.
        self.is_seen = not is_stream and not (stay and not isinstance(loader, DataLoader))
        self._is_copied = self.has_workers and not (is_stream and not stay)
        one_stream_each = getattr(loader, "sample_rng", sample_rng) == "worker"
        self._tells_of_copies = one_stream_each and not is_stream
        self._seeds_items = not one_stream_each and not is_stream

    def of(self, part: str) -> str:
        """What to call a part."""
        return f"{part} of {self._name}" if self._name else part

    def remembered(self) -> Any:
        """What holds the state of the data set that items to come depend on."""
        kept = vars(self.dataset) if hasattr(self.dataset, "__dict__") else {}
        return self.dataset if self.is_seen else {k: v for k, v in kept.items() if is_shared(v)}

    def lost_in_workers(self) -> dict[str, str]:
        """What workers remember and nobody saves, by path: why."""
        if not self._is_copied:
            return {}
        in_data = InnerState(lambda: {self.title: self.dataset}, data=[self.title])
        what = "each worker process goes on with a copy of its own"
        own = [] if self._tells_of_copies else in_data.generators(but=self._is_no_copy)
        lost = in_data.unsaved() | dict.fromkeys(own, what)
        if self._tells_of_copies and not state_of_data(self.dataset, self.loader.collate_fn)[1]:
            lost[f"what the {self.title} remembers in workers"] = "it has too many parts"
        return lost

    def _is_no_copy(self, value: Any) -> bool:
        """Whether workers share something of the data set, or seed it for each item."""
        is_seeded = self._seeds_items and any(one is value for one in generators_in(value))
        return is_seeded or is_shared(value)


def _side_by_side(loader: Any) -> dict[str, Any]:
    return loader.loaders if isinstance(loader, CombinedLoader) else {"": loader}


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


def _own_optimizers(runner: Runner) -> Iterator[tuple[str, Any]]:
    """Optimizers and wrappers of the user's own classes that leave their state to torch's."""
    for name, wrapper in by_optimizer(runner.optim_wrapper).items():
        for title, one in (
            ("optim_wrapper", wrapper),
            ("optimizer", getattr(wrapper, "optimizer", None)),
        ):
            told_by = getattr(getattr(type(one), "state_dict", None), "__module__", "")
            ours = ("torch.", _OURS)
            if told_by.startswith(ours) and not type(one).__module__.startswith(ours):
                yield f"{title} of {name}" if name else title, one


def _own_loops(runner: Runner) -> Iterator[tuple[str, Any]]:
    """Loops of the user's own classes that do not tell their state."""
    for name in ("train_loop", "val_loop"):
        loop = runner._parts.get(name)
        told_by = getattr(getattr(type(loop), "state_dict", None), "__module__", _OURS)
        if told_by.startswith(_OURS) and not type(loop).__module__.startswith(_OURS):
            yield name, loop


def _used_by_engine(loop: Any) -> set[str]:
    """Names of what the engine's own methods of a loop use, and a checkpoint has otherwise."""
    ours = [vars(kind) for kind in type(loop).__mro__ if kind.__module__.startswith(_OURS)]
    codes = [getattr(one, "__code__", None) for names in ours for one in names.values()]
    used = {name for code in codes if code is not None for name in code.co_names}
    return used | {"runner", "_runner", "_epoch", "_iter", "dataloader", "evaluator"}


def _kept_of_optimizers(runner: Runner) -> Iterator[Any]:
    for wrapper in by_optimizer(runner.optim_wrapper).values():
        optimizer = getattr(wrapper, "optimizer", None)
        yield optimizer
        yield from (
            getattr(optimizer, name, None) for name in ("state", "param_groups", "defaults")
        )


def _parts_of(runner: Runner) -> Iterator[Any]:
    """What a hook may hold of its run, and others save."""
    loops = (runner._parts.get(f"{mode}_loop") for mode in ("train", "val", "test"))
    for part in (runner, *vars(runner).values(), *runner._parts.values(), *loops):
        yield part
        yield from vars(part).values() if hasattr(part, "__dict__") else ()
    yield from runner.model.modules()
