"""Trials that need no whole training: a loaded model, another number of workers, half batches."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from mainspring.checkpoint import get_state_dict, load_file, save_checkpoint
from mainspring.checkpoint.apply import unwrap
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.errors import ConfigError
from mainspring.rng.seeding import set_random_seed
from mainspring.runner import Runner
from mainspring.runner.building.model_setup import prepare_model
from mainspring.runner.run_length import EndlessBatches
from mainspring.structures.nested_digest import named_leaves
from mainspring.tools.verify.job import Job, NotApplicableError
from mainspring.tools.verify.observation import Observation
from mainspring.tools.verify.trial_run import (
    GeneratorWatch,
    Gradients,
    nature_of,
    rebuilt,
    run_of,
    without_dropout,
)

__all__ = ["accumulate", "save_and_load", "stream"]

_MOST_WORKERS = 4
_BATCHES = 3


def save_and_load(runner: Runner, first_batch: Any, read: Callable[[], Any], job: Job) -> None:
    """Compare a trained model with a new one that has read its weights from a file.

    Args:
        runner: The run that has trained it.
        first_batch: A batch of the training; that of the validation is preferred.
        read: Reads the config anew.
        job: The trial.
    """
    folder = Path(job.folder)
    model = unwrap(runner.model)
    file = folder / "weights.pth"
    save_checkpoint({"state_dict": get_state_dict(model), "meta": {}}, str(file))
    fresh: Any = runner.build_model(read()["model"])
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    fresh.to(device)
    prepare_model(fresh, runner.cfg)
    saved, loaded = Observation(), Observation()
    try:
        fresh.load_state_dict(dict(load_file(file)["state_dict"]), strict=True)
    except RuntimeError as error:
        loaded.facts["problem"] = str(error)
    else:
        for owner, seen in ((model, saved), (fresh, loaded)):
            state = {f"weight {name}": value for name, value in owner.state_dict().items()}
            seen.tensors = {name: it for name, it in state.items() if isinstance(it, Tensor)}
        batch = first_batch
        if runner.val_loop is not None:
            batch = next(iter(runner.val_loop.sets[0].dataloader))
        try:
            _predict(model, batch, saved, runner.seed)
        except Exception as error:  # noqa: BLE001 - the model may have no predictions, and says so
            saved.facts["no_outputs"] = f"{type(error).__name__}: {error}"
        else:
            _predict(fresh, batch, loaded, runner.seed)
    saved.write(folder / "saved")
    loaded.write(folder / "loaded")


@torch.no_grad()
def _predict(model: Any, batch: Any, seen: Observation, seed: int) -> None:
    set_random_seed(seed)
    model.eval()
    for path, value in named_leaves(model.val_step(copy.deepcopy(batch)), dotted=True):
        name = f"output {path.removeprefix('.')}".rstrip()
        if isinstance(value, Tensor):
            seen.tensors[name] = value
        else:
            seen.add(0, name, value)


def stream(read: Callable[[], Any], job: Job) -> None:
    """Write which batches a loader gives without workers, and which with them.

    Args:
        read: Reads the user's config.
        job: The trial.

    Raises:
        NotApplicableError: The loader cannot be built again.
    """
    cfg = read()
    section = cfg.get("train_dataloader")
    own = section.get("num_workers", 0) if isinstance(section, Mapping) else 0
    counts = {"none": 0, "workers": max(2, min(own, _MOST_WORKERS))}
    sections = {folder: rebuilt(section, count) for folder, count in counts.items()}
    runner = run_of(cfg, job)
    for folder, loading in sections.items():
        set_random_seed(runner.seed)
        try:
            loader = runner.ready_dataloader(loading)
        except ConfigError as error:
            raise NotApplicableError(f"the loader cannot be rebuilt: {error.message}") from None
        seed = runner.seed if runner.sample_rng == "sample" else None
        seen = Observation(facts={"workers": loader.num_workers})
        batches = EndlessBatches(ResumableLoader(loader, seed))
        for number, batch in enumerate(itertools.islice(batches, job.iterations), 1):
            seen.add(number, "batch", batch)
        del batches
        seen.write(Path(job.folder) / folder)


def accumulate(read: Callable[[], Any], job: Job) -> None:
    """Write the gradients of a batch, and those of its halves accumulated.

    Args:
        read: Reads the user's config.
        job: The trial.

    Raises:
        NotApplicableError: There is no such batch, or no single optimizer.
    """
    cfg = read()
    section = rebuilt(cfg.get("train_dataloader"), 0)
    runner = run_of(cfg, job)
    loader = runner.ready_dataloader(section)
    prepare_model(runner.model, runner.cfg)
    without_dropout(runner.model)
    # CUDA shall not round the factors of float32 products, which would hide small differences.
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    watch = GeneratorWatch()
    wholes: list[list[Any]] = []
    halves: list[list[Any]] = []
    size = 0
    for items in itertools.islice(_items_of_batches(loader), _BATCHES):
        half = len(items) // 2
        if not half and wholes:
            break
        if not half:
            raise NotApplicableError("a batch has one sample only, which has no halves")
        size = max(size, 2 * half)
        watch.begin()
        parts = (items[: 2 * half], items[:half], items[half : 2 * half])
        whole, *both = (loader.collate_fn(copy.deepcopy(part)) for part in parts)
        watch.end()
        wholes.append([whole])
        halves.append(both)
    weights = copy.deepcopy(runner.model.state_dict())
    for folder, groups in (("whole", wholes), ("halves", halves)):
        seen = _gradients(runner, groups, weights, watch)
        seen.facts |= {"batch_size": size, "draws": watch.moved}
        seen.facts |= nature_of(runner)
        seen.write(Path(job.folder) / folder)


def _items_of_batches(loader: Any) -> Iterator[list[Any]]:
    dataset = loader.dataset
    if isinstance(dataset, IterableDataset):
        items = iter(dataset)
        while batch := list(itertools.islice(items, loader.batch_size or 1)):
            yield batch
    elif loader.batch_sampler is None:
        raise NotApplicableError("the loader makes no batches: its items are batches already")
    else:
        for indices in loader.batch_sampler:
            yield [dataset[index] for index in indices]


def _gradients(
    runner: Runner, groups: list[list[Any]], weights: Mapping[str, Any], watch: GeneratorWatch
) -> Observation:
    """The gradients with which the optimizer would step from the same weights on each group."""
    model: Any = runner.model
    wrapper = runner.build_optim_wrapper(copy.deepcopy(runner.optim_wrapper))
    gradients = Gradients(model, wrapper)
    if not hasattr(wrapper, "_accumulative_counts"):
        raise NotApplicableError(f"{type(wrapper).__name__} does not accumulate")
    counts = wrapper._accumulative_counts = len(groups[0])
    wrapper.accumulation_schedule = None
    wrapper.initialize_count_status(model, 0, counts * len(groups))
    model.train()
    model.zero_grad()
    set_random_seed(runner.seed)
    for group in groups:
        model.load_state_dict(weights)
        watch.begin()
        for batch in group:
            model.train_step(batch, optim_wrapper=wrapper)
        watch.end()
    return Observation(gradients.tensors)
