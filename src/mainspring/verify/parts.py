"""Trials that need no whole training: a loaded model, another number of workers, half batches."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from mainspring.checkpoint import get_state_dict, load_file, save_checkpoint
from mainspring.checkpoint.apply import unwrap
from mainspring.dataset.resumable_loader import ResumableLoader
from mainspring.errors import ConfigError
from mainspring.runner.environment import set_random_seed
from mainspring.runner.model_setup import prepare_model
from mainspring.runner.progress import EndlessBatches
from mainspring.verify.job import Job, NotApplicableError
from mainspring.verify.observation import Observation, leaves
from mainspring.verify.trial_run import (
    GeneratorWatch,
    Gradients,
    as_trial,
    build_runner,
    nature_of,
    single_optimizer,
    with_workers,
    without_dropout,
)

__all__ = ["accumulate", "count_workers", "save_and_load", "stream"]

_MOST_WORKERS = 4
_BATCHES = 3


def save_and_load(runner: Any, first_batch: Any, read: Callable[[], Any], job: Job) -> None:
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
    problem = _load(fresh, load_file(file)["state_dict"])
    if problem:
        loaded.facts["problem"] = problem
    else:
        saved.tensors, loaded.tensors = _named_state(model), _named_state(fresh)
        batch = _evaluation_batch(runner, first_batch)
        try:
            _predict(model, batch, saved, runner.seed)
        except Exception as error:  # noqa: BLE001 - the model may have no predictions, and says so
            saved.facts["no_outputs"] = f"{type(error).__name__}: {error}"
        else:
            _predict(fresh, batch, loaded, runner.seed)
    saved.write(folder / "saved")
    loaded.write(folder / "loaded")


def _load(fresh: nn.Module, state: Mapping[str, Any]) -> str | None:
    try:
        fresh.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        return str(error)
    return None


def _named_state(model: nn.Module) -> dict[str, Tensor]:
    return {
        f"weight {name}": value
        for name, value in model.state_dict().items()
        if isinstance(value, Tensor)
    }


def _evaluation_batch(runner: Any, first_batch: Any) -> Any:
    loop = runner.val_loop
    return first_batch if loop is None else next(iter(loop.sets[0].dataloader))


@torch.no_grad()
def _predict(model: Any, batch: Any, seen: Observation, seed: int) -> None:
    set_random_seed(seed)
    model.eval()
    for path, value in leaves(model.val_step(copy.deepcopy(batch))):
        if isinstance(value, Tensor):
            seen.tensors[f"output {path}".rstrip()] = value
        else:
            seen.add(0, f"output {path}", value)


def count_workers(section: Any) -> int:
    """How many workers the batches without workers are compared with.

    Args:
        section: Section of the training loader.
    """
    own = section.get("num_workers", 0) if isinstance(section, Mapping) else 0
    return max(2, min(own, _MOST_WORKERS))


def stream(cfg: Any, job: Job) -> None:
    """Write which batches a loader gives without workers, and which with them.

    Args:
        cfg: The user's config.
        job: The trial.

    Raises:
        NotApplicableError: The loader cannot be built again.
    """
    section = cfg.get("train_dataloader")
    sections = {count: with_workers(section, count) for count in (0, count_workers(section))}
    runner = build_runner(as_trial(cfg, job))
    for folder, loading in zip(("none", "workers"), sections.values(), strict=True):
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


def accumulate(cfg: Any, job: Job) -> None:
    """Write the gradients of a batch, and those of its halves accumulated.

    Args:
        cfg: The user's config.
        job: The trial.

    Raises:
        NotApplicableError: There is no such batch, or no single optimizer.
    """
    section = with_workers(cfg.get("train_dataloader"), 0)
    runner = build_runner(as_trial(cfg, job))
    loader = runner.ready_dataloader(section)
    prepare_model(runner.model, runner.cfg)
    without_dropout(runner.model)
    _use_full_precision()
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


def _use_full_precision() -> None:
    """Let CUDA not round the factors of float32 products, which would hide small differences."""
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")


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
    runner: Any, groups: list[list[Any]], weights: Mapping[str, Any], watch: GeneratorWatch
) -> Observation:
    """The gradients with which the optimizer would step from the same weights on each group."""
    wrapper = runner.build_optim_wrapper(copy.deepcopy(runner.optim_wrapper))
    optimizer = single_optimizer(wrapper)
    if not hasattr(wrapper, "_accumulative_counts"):
        raise NotApplicableError(f"{type(wrapper).__name__} does not accumulate")
    counts = wrapper._accumulative_counts = len(groups[0])
    wrapper.initialize_count_status(runner.model, 0, counts * len(groups))
    gradients = Gradients(runner.model)
    optimizer.register_step_pre_hook(gradients.take)
    runner.model.train()
    runner.model.zero_grad()
    set_random_seed(runner.seed)
    for group in groups:
        runner.model.load_state_dict(weights)
        watch.begin()
        for batch in group:
            runner.model.train_step(batch, optim_wrapper=wrapper)
        watch.end()
    return Observation(gradients.tensors)
