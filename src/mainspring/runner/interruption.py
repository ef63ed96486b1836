"""Signals: finish the iteration, write a checkpoint, and leave, or go on.

| signal  | what happens                                             | exit code |
|---------|----------------------------------------------------------|-----------|
| SIGTERM | the iteration is finished, a checkpoint is written       | 143       |
| SIGINT  | the same; a second one leaves at once                    | 130       |
| SIGUSR1 | a checkpoint is written, and training goes on            |           |

Until a signal comes, none of this costs anything: the handler itself adds what acts after the next
iteration. With several processes, all of them stop after the same iteration, also when only one of
them got the signal, see `mainspring.runner.agreement`.

A validation can take longer than a batch system waits. It ends after its current batch, and the
checkpoint holds the state from before it, so that the resumed run validates from the start. The
processes are at different batches then. Each goes to a meeting as soon as it knows of a signal, and
in any case once it is through with a data set, before the metrics are gathered: so all of them
are at the same meeting, where they learn whether any of them got one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch

from mainspring.checkpoint import record_latest_checkpoint
from mainspring.dataset.loader.resumable_loader import naming_batches
from mainspring.dist import all_reduce, get_comm_device, is_main_process
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.runner.agreement import StopAgreement
from mainspring.runner.state.earlier_state import StateBeforeValidation
from mainspring.signals import handling

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["Interruption", "Terminated", "all_end", "interruptible", "validation_of"]

CHECKPOINT = "interrupted.pth"
"""Name of the checkpoint that an interrupted run leaves; the next interruption replaces it."""

_STDERR = 2
_STOP = "stop_training"
_SIGNALS = ("SIGUSR1", _STOP, "SIGINT", "SIGTERM")
"""In ascending order of weight, for processes that got different ones; the second is what a hook of
one rank asks for."""


class Terminated(SystemExit):
    """The run was asked to end and has written its checkpoint; the exit code is 143."""


class Interruption:
    """Listens to signals while a run trains.

    Args:
        runner: The run.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._process = os.getpid()
        self._requested: str | None = None
        self._agreement: StopAgreement | None = None
        self._before: StateBeforeValidation | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen within the block; in other threads than the main one signals cannot be heard."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        counts = [
            getattr(wrapper, "_accumulative_counts", 1)
            for wrapper in by_optimizer(self._runner.optim_wrapper).values()
        ]
        with handling(numbers, self._on_signal):
            request = self._on_request_of_others
            self._agreement = StopAgreement.of_run(request, max(counts, default=1))
            self._runner.interruption = self
            try:
                yield
            finally:
                self._runner.interruption = None
                if self._agreement is not None:
                    self._agreement.close()

    @contextmanager
    def validating(self) -> Iterator[None]:
        """A validation that the train loop carries out, and would begin anew when resumed."""
        self._before = StateBeforeValidation.of(self._runner)
        try:
            yield
        finally:
            self._before = None

    @property
    def is_validating(self) -> bool:
        """Whether a validation of the train loop is under way."""
        return self._before is not None

    @property
    def _done(self) -> int:
        """Finished iterations, with the one whose hooks act now."""
        loop = self._runner.train_loop
        done: int = loop.completed_iters if hasattr(loop, "completed_iters") else loop.iter + 1
        return done

    def batches_of_validation(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The batches of a data set, with answers to signals in between (all ranks).

        Args:
            batches: The batches.

        Raises:
            Terminated: The run was asked to end.
            KeyboardInterrupt: The run was interrupted.
        """
        for batch in batches:
            yield batch
            if self._requested is not None and self._agreement is None:
                self._answer(self._requested)
            elif self._requested is not None:
                self._meet(finished=False)
        while self._agreement is not None and not self._meet(finished=True):
            pass

    def all_end(self, done: int) -> bool:
        """Whether to end the run now, as this rank wants to after an iteration.

        If the others want to go on, they are asked to end it too, and this rank goes on until then.

        Args:
            done: Finished iterations.
        """
        if self._agreement is None or self._agreement.all_end_here(done):
            return True
        self._runner.train_loop.stop_training = False
        if self._requested is None:
            self._request(_STOP)
            self._agreement.request(_STOP)
        return False

    def _meet(self, *, finished: bool) -> bool:
        """Learn of each other's signals and answer them; whether all are through with the data."""
        own = 0 if self._requested is None else _SIGNALS.index(self._requested) + 1
        news = torch.tensor([own, int(not finished)], device=get_comm_device())
        all_reduce(news, op="max")
        heaviest, any_unfinished = news.tolist()
        if heaviest:
            self._answer(_SIGNALS[heaviest - 1])
        return not any_unfinished

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if os.getpid() != self._process:
            # A process that was forked meanwhile: only a request to end concerns it.
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self._requested == "SIGINT" and name == "SIGINT":
            raise KeyboardInterrupt
        self._request(name)
        if self._agreement is not None:
            self._agreement.request(name)

    def _on_request_of_others(self, name: str) -> None:
        """Another process got a signal; called from a thread."""
        if self._requested is None:
            self._request(name)

    def _request(self, name: str) -> None:
        self._requested = name
        within = "iteration" if self._before is None else "batch of the validation"
        what = f"saving after this {within}" if name == "SIGUSR1" else f"finishing this {within}"
        # A handler may have interrupted the logger itself, which cannot be entered twice.
        with contextlib.suppress(OSError):
            os.write(_STDERR, f"{name}: {what}\n".encode())
        self._runner.call_after_iterations(self._after_iteration)

    def _after_iteration(self) -> None:
        """Once a signal came: save, and leave unless the run is to go on."""
        if self._agreement is not None:
            decided = self._agreement.decide(self._done)
            if decided is None or self._done < decided[0]:
                return
            self._requested = decided[1]
        if self._requested is not None:
            self._answer(self._requested)

    def _answer(self, name: str) -> None:
        """Save, and leave unless the run is to go on (all ranks)."""
        self._requested = None
        self._runner.call_after_iterations(None)
        if name == _STOP:
            self._runner.train_loop.stop_training = True
        else:
            self._save()
        if name == "SIGTERM":
            raise Terminated(128 + signal.SIGTERM)
        if name == "SIGINT":
            # Of this very type, with which Python ends as interrupted programs do: 130 in a shell.
            raise KeyboardInterrupt(f"the run was interrupted; {CHECKPOINT} continues it")
        if self._agreement is not None:
            self._agreement.listen_again()

    def _save(self) -> None:
        runner, loop = self._runner, self._runner.train_loop
        if self._before is None:
            where = f"after iteration {self._done}; resume=True continues there"
            if not hasattr(loop, "state_dict"):
                where += f", as far as {type(loop).__name__} can without a state_dict"
            # The epoch is unfinished, which a loop of the user's own may not tell.
            runner.save_checkpoint(runner.work_dir, CHECKPOINT, by_epoch=False)
        else:
            where = (
                f"after iteration {loop.completed_iters}, within the validation; resume=True "
                "begins this validation anew"
            )
            runner.save_checkpoint(runner.work_dir, CHECKPOINT, earlier=self._before)
        if is_main_process():
            record_latest_checkpoint(CHECKPOINT, runner.work_dir)
        runner.logger.info(f"saved {CHECKPOINT} {where}")


def validation_of(runner: Runner) -> AbstractContextManager[None]:
    """A validation of a training, which a signal may end.

    Args:
        runner: The run.
    """
    return nullcontext() if runner.interruption is None else runner.interruption.validating()


def all_end(runner: Runner, done: int) -> bool:
    """Whether all ranks end the run after this iteration, as this one wants to.

    Args:
        runner: The run.
        done: Finished iterations.
    """
    return runner.interruption is None or runner.interruption.all_end(done)


def interruptible(runner: Runner, dataloader: Iterable[Any]) -> Iterable[Any]:
    """The batches of a data set to evaluate on; errors name the items.

    In a validation of a training, signals are answered between batches.

    Args:
        runner: The run.
        dataloader: Loader of the data set.
    """
    batches = naming_batches(dataloader)
    if runner.interruption is None or not runner.interruption.is_validating:
        return batches
    return runner.interruption.batches_of_validation(batches)
