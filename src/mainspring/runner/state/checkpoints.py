"""Loading, resuming and saving: the part of `Runner` that deals with checkpoints."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from mainspring.checkpoint import (
    CheckpointLoader,
    _load_checkpoint_to_model,
    begin_anew,
    find_resumable_checkpoint,
    get_state_dict,
    require_whole,
    save_checkpoint,
)
from mainspring.checkpoint.apply import unwrap
from mainspring.checkpoint.frozen import with_left_out
from mainspring.checkpoint.plain_types import as_plain_types
from mainspring.checkpoint.writer import CheckpointWriter
from mainspring.dist import is_main_process
from mainspring.errors import CheckpointError
from mainspring.fileio import join_path
from mainspring.logging import IN_FILE
from mainspring.runner.building.assembly import Assembly
from mainspring.runner.interruption import Interruption
from mainspring.runner.state import resume
from mainspring.runner.state.earlier_state import StateBeforeValidation
from mainspring.runner.state.joint_saving import JointSaving
from mainspring.runner.state.model_structure import make_room
from mainspring.runner.state.rank_buffers import own_buffers_of_ranks, with_own_buffers

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["Checkpoints"]


class Checkpoints(Assembly):
    """What a runner does with checkpoints."""

    _resume: bool
    _load_from: str | None
    _has_loaded = False
    _anew: Sequence[str]
    _has_begun = False
    _loaded_names: Collection[str] = ()
    _waiting: Callable[[], None] | None = None
    _writer: CheckpointWriter
    _joint: JointSaving
    interruption: Interruption | None = None
    """What listens to signals, while this run trains in the main thread."""
    saving_seconds = 0.0
    """How long training stood still in this process while checkpoints were written."""

    weights_to_begin_with: str | None = None
    """What is loaded where a run was to be resumed, and there is nothing to resume."""
    begun_from: str | None = None
    """What the training begins with, if it is not new."""

    def load_or_resume(self) -> None:
        """Load weights or continue a run, whichever was asked for; once only."""
        if self._has_loaded:
            return
        file, goes_on = self._load_from, bool(self._resume)
        if goes_on and file is not None:
            require_whole(self._find_checkpoint(file))
        elif goes_on and (found := find_resumable_checkpoint(self.work_dir)) is not None:
            file = found.path
            self.logger.info(f"resume from {file}: {found.reason}", extra=IN_FILE)
        elif goes_on:
            where = f"nothing to resume in {self.work_dir}"
            self.logger.info(f"{where}: training starts from the beginning")
            file, goes_on = self.weights_to_begin_with, False
        if file is not None and goes_on:
            self.resume(file)
            name = os.path.basename(str(file))
            self.begun_from = f"from {name}, at iteration {self.iter:,}"
        elif file is not None:
            self.load_checkpoint(file)
            self.begun_from = f"with weights of {file}"
        self._has_loaded = True

    def _begin_in_work_dir(self) -> None:
        """Say whether anything is left to train; what is there is not of a run that begins."""
        loop = self.train_loop
        unit = "epochs" if getattr(loop, "by_epoch", True) else "iters"
        done = self.epoch if unit == "epochs" else self.iter
        if not self.iter and not self._resume and is_main_process():
            begin_anew(self.work_dir)
        elif self._resume and done >= getattr(loop, f"max_{unit}", float("inf")):
            self.logger.warning(
                f"this run is finished, it has all of its {done} {unit}: nothing is trained. "
                f"train_cfg.max_{unit}={2 * done}, for example, goes on"
            )

    def load_checkpoint(
        self,
        filename: str | Path,
        map_location: Any = "cpu",
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = ((r"^module.", ""),),
    ) -> Mapping[str, Any]:
        """Load the weights of a checkpoint into the model.

        They are not replaced later by ``load_from`` or ``resume``, or by initial weights.

        Args:
            filename: Path, URI, or the name of a file in the work directory.
            map_location: As in `torch.load`.
            strict: Whether every weight must fit.
            revise_keys: Pairs of pattern and replacement applied to every key.

        Returns:
            The checkpoint.
        """
        checkpoint: Mapping[str, Any] = CheckpointLoader.load_checkpoint(
            self._find_checkpoint(filename), map_location, logger="current"
        )
        if self._resume:
            checkpoint = with_own_buffers(checkpoint)
        checkpoint = with_left_out(get_state_dict(self.model), checkpoint)
        make_room(unwrap(self.model), checkpoint)
        self._dispatch.begin_run(self)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        loaded = _load_checkpoint_to_model(
            self.model, checkpoint, strict, self.logger, revise_keys=revise_keys
        )
        self._has_loaded = True
        names = set(loaded.get("state_dict", loaded))
        for pattern, replacement in revise_keys:
            names = {re.sub(pattern, replacement, name) for name in names}
        self._loaded_names = names
        return loaded

    @contextmanager
    def _keeping_loaded_weights(self) -> Iterator[None]:
        """A block in which weights are initialised, but for a model that was loaded before."""
        own = get_state_dict(self.model) if self._loaded_names else {}
        loaded = {name: own[name].clone() for name in self._loaded_names if name in own}
        yield
        with torch.no_grad():
            for name, value in loaded.items():
                own[name].copy_(value)

    def when_begun(self, restore: Callable[[], None]) -> None:
        """Give hooks and generators their state back: once the hooks have begun the run.

        Args:
            restore: What does it.
        """
        if self._has_begun:
            restore()
        else:
            self._waiting = restore

    def _restore_what_waits(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting()

    def resume(
        self,
        filename: str | Path,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = "default",
        *,
        anew: Sequence[str] = (),
    ) -> None:
        """Continue the run that a checkpoint was taken of.

        Args:
            filename: Path, URI, or the name of a file in the work directory.
            resume_optimizer: Whether to restore the optimizer's state.
            resume_param_scheduler: Whether to restore the schedulers' states.
            map_location: As in `torch.load`; ``"default"`` is the CPU, from where each owner moves
                its state to its own device.
            anew: What counts as it is described now, rather than as in the checkpoint; the argument
                of `Runner` of that name counts as well.
        """
        if self._train_loop is not None:
            self.build_training()
        self._resume = True
        location = "cpu" if map_location == "default" else map_location
        checkpoint = self.load_checkpoint(filename, map_location=location)
        _require_same_shapes(self.model, checkpoint, filename)
        if self._train_loop is None:
            return
        resume.restore(
            cast("Runner", self),
            checkpoint,
            resume_optimizer=resume_optimizer,
            resume_param_scheduler=resume_param_scheduler,
            anew=[*self._anew, *([anew] if isinstance(anew, str) else anew)],
        )
        self.logger.info(f"resumed epoch: {self.epoch}, iter: {self.iter}", extra=IN_FILE)

    def roll_back(
        self, filename: str | Path, about_to_be_written: dict[str, Any] | None = None
    ) -> None:
        """Take weights and optimizer state of an earlier moment, and go on from here with them.

        Position, schedules and data stay where they are; gradients of an unfinished group go.

        Args:
            filename: Checkpoint of this run.
            about_to_be_written: What `save_checkpoint` is writing now, which gets them too.
        """
        self._resume = True
        checkpoint = self.load_checkpoint(filename, strict=True)
        if "optimizer" in checkpoint:
            resume.restore_moments(cast("Runner", self), checkpoint["optimizer"])
        self.optim_wrapper.zero_grad()
        if about_to_be_written is not None:
            resume.renew_trained_state(cast("Runner", self), about_to_be_written)

    def save_checkpoint(
        self,
        out_dir: str | Path,
        filename: str | None = None,
        file_client_args: dict[str, Any] | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict[str, Any] | None = None,
        by_epoch: bool = True,
        backend_args: dict[str, Any] | None = None,
        *,
        async_save: bool = False,
        then: Callable[[], None] | None = None,
        earlier: StateBeforeValidation | None = None,
    ) -> None:
        """Write a checkpoint; to be called on all ranks, rank 0 writes.

        Called on rank 0 alone, in a `master_only` function for example, it writes what that rank
        has, see `JointSaving`.

        An asynchronous save returns once the state is copied; `finish_saving` waits for it.

        Args:
            out_dir: Directory; or, alone, the name of a file in the work directory, or a path.
            filename: Name of the file in `out_dir`.
            file_client_args: MMEngine's older spelling of `backend_args`.
            save_optimizer: Whether to keep the optimizer's state.
            save_param_scheduler: Whether to keep the schedulers' states.
            meta: Entries that replace those of ``meta``.
            by_epoch: Whether an epoch, rather than an iteration, was just finished.
            backend_args: Storage backend and its arguments.
            async_save: Whether to write in the background while training goes on.
            then: Called on rank 0 when the file is safe on the disk; in the background too.
            earlier: Within a validation, the state from before it, with which the run begins the
                validation anew when it is resumed.

        Raises:
            CheckpointError: A hook or another part remembers something that could not be read
                again.
            OSError: The storage refuses; what was there before is untouched.
        """
        if filename is None:
            within = "" if "://" in str(out_dir) else self.work_dir
            out_dir, filename = os.path.split(os.path.join(within, out_dir))
        with self._counting_seconds():
            loop = self._train_loop
            done = loop.completed_iters if hasattr(loop, "completed_iters") else self.iter
            if getattr(loop, "has_batch_ahead", False):
                self.logger.warning(
                    f"{filename} is saved before the step of iteration {self.iter + 1}, whose "
                    "batch is loaded already: a run that resumes from it leaves this batch out; "
                    "save after the step, as in after_train_iter"
                )
            together = self._joint.all_take_part(int(done), filename)
            if not together and not is_main_process():
                return
            checkpoint = resume.collect(
                cast("Runner", self),
                meta,
                by_epoch=by_epoch,
                save_optimizer=save_optimizer,
                save_param_scheduler=save_param_scheduler,
                to_cpu=not async_save,
                earlier=earlier,
                alone=not together,
            )
            self.call_hook("before_save_checkpoint", checkpoint=checkpoint)
            buffers = own_buffers_of_ranks(self.model, checkpoint) if together else None
            if buffers is not None:
                checkpoint["mainspring"]["buffers"] = buffers
            if not is_main_process():
                return
            path = join_path(str(out_dir), filename)

            def write(content: Mapping[str, Any]) -> None:
                save_checkpoint(content, path, file_client_args, backend_args)
                if then is not None:
                    then()

            if async_save:
                # What cannot be read again is refused here rather than in the thread.
                self._writer.start(as_plain_types(checkpoint), write)
            else:
                # What is written later must not be overtaken by what is written now.
                self._report(self.finish_saving())
                write(checkpoint)

    @contextmanager
    def _counting_seconds(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.saving_seconds += time.perf_counter() - began

    def reserve_for_saving(self) -> None:
        """Take the memory that asynchronous saves copy the state to, in the background."""
        if is_main_process():
            state = [get_state_dict(self.model), self.optim_wrapper.state_dict()]
            self._writer.reserve(state)

    def finish_saving(self) -> BaseException | None:
        """Wait for an asynchronous save.

        Returns:
            Why it failed, once; ``None`` if it did not, or there is none.
        """
        return self._writer.wait()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """A block whose asynchronous saves are finished when it ends, however it ends."""
        try:
            yield
        except BaseException:
            self._report(self.finish_saving())
            raise
        failure = self.finish_saving()
        if failure is not None:
            raise failure

    def _report(self, failure: BaseException | None) -> None:
        if failure is not None:
            self.logger.error(
                f"the checkpoint before could not be written: {type(failure).__name__}: {failure}"
            )

    def _find_checkpoint(self, filename: str | Path) -> str:
        name = str(filename)
        inside = os.path.join(self.work_dir, name)
        return inside if not os.path.exists(name) and os.path.isfile(inside) else name


def _require_same_shapes(model: nn.Module, checkpoint: Mapping[str, Any], filename: Any) -> None:
    """Refuse to go on with weights of which some were not taken over.

    Raises:
        CheckpointError: A weight of the checkpoint has another shape than that of the model.
    """
    own = get_state_dict(model)
    differing = [
        f"{name} is {tuple(value.shape)} in the checkpoint, {tuple(own[name].shape)} in the model"
        for name, value in checkpoint.get("state_dict", {}).items()
        if name in own and hasattr(value, "shape") and hasattr(own[name], "shape")
        if value.shape != own[name].shape
    ]
    if differing:
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        raise CheckpointError(
            f"{filename} cannot be resumed, its model is another one: {differing[0]}{more}",
            help="resume with the model that it was made with, or use load_from for the weights "
            "that fit",
        )
