"""The runner: holds the parts of a run and carries it out."""

from __future__ import annotations

import copy
import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.checkpoint.writer import CheckpointWriter
from mainspring.config import Config
from mainspring.config.sweep import refuse_unchosen
from mainspring.dist import is_main_process
from mainspring.errors import LoopError
from mainspring.hooks import DigestHook, HookDispatch
from mainspring.hooks.dispatch import HookMethod
from mainspring.registry import RUNNERS, DefaultScope
from mainspring.registry.default_scope import ROOT_SCOPE
from mainspring.registry.shared import SharedParts
from mainspring.rng.seeding import set_random_seed
from mainspring.runner.building import section_types as of
from mainspring.runner.building.build_optimization import check_optimized
from mainspring.runner.building.environment import (
    Randomness,
    check_wrapping,
    set_up_environment,
)
from mainspring.runner.building.model_setup import compile_step, prepare_model, wrap_for_processes
from mainspring.runner.building.quick_check import refuse_mistakes
from mainspring.runner.building.request import as_config, named_run, resume_request
from mainspring.runner.building.sections import (
    RUNNER_SECTIONS,
    check_triples,
    require,
    with_classes_imported,
    with_default_loops,
    work_dir_of,
)
from mainspring.runner.config_record import record_config
from mainspring.runner.console.ending import Invocation, telling
from mainspring.runner.console.opening import planned_rates
from mainspring.runner.console.startup_log import dump_config, log_environment, log_hooks
from mainspring.runner.evaluation import evaluation
from mainspring.runner.failures.error_places import building, give_place
from mainspring.runner.failures.failed_step import explaining_failures
from mainspring.runner.failures.rank_failure import naming_failed_rank
from mainspring.runner.failures.worker_death import ending_workers
from mainspring.runner.interruption import Interruption
from mainspring.runner.mmengine_names import MMEngineNames
from mainspring.runner.modes import TrainingModes
from mainspring.runner.release import StartFiles, claim, naming, new_timestamp, release_run
from mainspring.runner.state import resume
from mainspring.runner.state.changed_settings import Settings
from mainspring.runner.state.checkpoints import Checkpoints
from mainspring.runner.state.inner_states import InnerStates
from mainspring.runner.state.joint_saving import JointSaving
from mainspring.runner.work_dir_lock import note_unwritable, training_alone_in

__all__ = ["Runner"]


@RUNNERS.register_module()
class Runner(Checkpoints, MMEngineNames):
    """Trains, validates and tests a model as described, and continues where it stopped.

    Every part is given as a dict with ``type``, a class, or a ready object.

    Args:
        model: The model.
        work_dir: Where checkpoints, logs and the resolved config go; created when missing.
            ``work_dirs/`` and the name of the config by default.
        train_dataloader: Training data, or several loaders (see `CombinedLoader`); with
            `train_cfg` and `optim_wrapper`, all or none.
        val_dataloader: Validation data, or several by name; with `val_cfg` and `val_evaluator`.
        test_dataloader: Test data, or several by name; with `test_cfg` and `test_evaluator`.
        train_cfg: Length of training, ``dict(by_epoch=True, max_epochs=...)``, or a loop.
        val_cfg: Validation loop; the ordinary one by default.
        test_cfg: Test loop; the ordinary one by default.
        auto_scale_lr: ``dict(enable=True, base_batch_size=...)`` scales learning rates linearly.
        optim_wrapper: Optimizer and how it is stepped.
        param_scheduler: Schedulers of learning rate, momentum and others.
        val_evaluator: Metrics of validation.
        test_evaluator: Metrics of the test.
        default_hooks: Changes to the default hooks, by name; ``None`` as value removes one.
        custom_hooks: Further hooks.
        data_preprocessor: Taken over by a model dict that has none.
        load_from: Checkpoint to take weights from, or, with `resume`, to continue.
        resume: Continue a run: from `load_from`, or else from the newest checkpoint in `work_dir`.
            A path continues from there.
        launcher: ``"none"``, ``"pytorch"``, ``"slurm"`` or ``"mpi"``.
        env_cfg: Backends, worker start method, process group; see `set_up_environment`.
        log_processor: How scalars become log lines.
        log_level: Level of the run's logger.
        visualizer: Where scalars, images and the config are sent.
        default_scope: Scope in which names are looked up first.
        randomness: Seed and determinism; see `Randomness`.
        experiment_name: Name of the run; config name and time by default.
        cfg: The whole config; kept as `cfg` and in checkpoints.
        anew: With `resume`: which settings of the optimizer count as they are described now,
            rather than as in the checkpoint, such as ``["lr"]``; ``"schedule"`` and ``"optimizer"``
            stand for all of these.
        record_digests: Every how many iterations to record digests of all that a training step
            depends on, which ``mainspring diverge`` compares; ``None`` for never.

    Raises:
        ConfigError: The description is incomplete or contradictory.

    Example:
        >>> from mainspring.model import Supervised
        >>> points = torch.linspace(-1, 1, 8)[:, None]
        >>> data = torch.utils.data.TensorDataset(points, 2 * points)
        >>> runner = Runner(
        ...     Supervised(nn.Linear(1, 1), nn.MSELoss()),
        ...     work_dir="line",
        ...     train_dataloader=torch.utils.data.DataLoader(data, batch_size=4),
        ...     train_cfg=dict(by_epoch=True, max_epochs=2),
        ...     optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        ...     log_level="WARNING",
        ... )
        >>> model = runner.train()
        >>> runner.iter
        4
    """

    is_training = False
    """Whether the train loop runs."""

    invocation: Invocation | None = None
    """The command that started this run, if one did."""

    def __init__(
        self,
        model: of.ModelSection,
        work_dir: str | None = None,
        train_dataloader: of.LoaderSection | None = None,
        val_dataloader: of.LoaderSection | None = None,
        test_dataloader: of.LoaderSection | None = None,
        train_cfg: of.LoopSection | None = None,
        val_cfg: of.LoopSection | None = None,
        test_cfg: of.LoopSection | None = None,
        auto_scale_lr: Mapping[str, Any] | None = None,
        optim_wrapper: of.OptimSection | None = None,
        param_scheduler: of.SchedulerSection | None = None,
        val_evaluator: of.EvaluatorSection | None = None,
        test_evaluator: of.EvaluatorSection | None = None,
        default_hooks: Mapping[str, of.HookSection | None] | None = None,
        custom_hooks: Sequence[of.HookSection] | None = None,
        data_preprocessor: of.PreprocessorSection | None = None,
        load_from: str | None = None,
        resume: bool | str = False,
        launcher: of.Launcher | None = "none",
        env_cfg: Mapping[str, Any] | None = None,
        log_processor: of.LogProcessorSection | None = None,
        log_level: str | int = "INFO",
        visualizer: of.VisualizerSection | None = None,
        default_scope: str | None = "mainspring",
        randomness: Mapping[str, Any] | None = None,
        experiment_name: str | None = None,
        cfg: Config | Mapping[str, Any] | None = None,
        *,
        record_digests: int | None = None,
        anew: Sequence[str] = (),
    ) -> None:
        self._sections = {
            name: value for name, value in locals().items() if name in RUNNER_SECTIONS
        }
        self._parts: dict[str, Any] = {}
        self._shared_parts = SharedParts(self._sections)
        self.cfg = as_config(cfg)
        with building(self.cfg, "train_cfg"):
            check_triples(self._sections, self.cfg.keys())
            with_default_loops(self._sections)
            self.work_dir = work_dir_of(work_dir, self.cfg)
        self.auto_scale_lr = auto_scale_lr
        self._resume, self._load_from = resume_request(resume, load_from)
        self.pending_accumulation: dict[str, Any] = {}
        self.inner_states: InnerStates | None = None
        self.modes = TrainingModes()
        self._is_prepared = False
        self._is_cut_off = False
        self._anew = [anew] if isinstance(anew, str) else list(anew)
        self.settings: dict[str, Any] = {}
        self.set_anew: list[dict[str, Any]] = []

        self._launcher = "none" if launcher is None else launcher
        with building(self.cfg, "env_cfg"):
            check_wrapping(self.cfg)
            set_up_environment(env_cfg or {}, self._launcher)
            self._randomness = Randomness.from_section(randomness)
        self.use_seed(
            set_random_seed(
                self._randomness.seed,
                self._randomness.deterministic,
                self._randomness.diff_rank_seed,
            )
        )
        with naming:
            self._timestamp = new_timestamp(
                self.work_dir, lambda stamp: named_run(experiment_name, self.cfg, stamp)
            )
            self._experiment_name = named_run(experiment_name, self.cfg, self._timestamp)
            claim(self._experiment_name)
        self._joint = JointSaving(self._timestamp)
        self._writer = CheckpointWriter()
        self._log_dir = os.path.join(self.work_dir, self._timestamp)
        self._logging = default_scope, log_processor, log_level, visualizer
        self._start_files: StartFiles | None = None
        with self._undone_if_it_fails():
            self._open()
            with building(self.cfg, "model"):
                wrapper_cfg = self.cfg.get("model_wrapper_cfg")
                self.model = self.wrap_model(wrapper_cfg, self.build_model(model))
            self._model_name = type(unwrap(self.model)).__name__
            self._dispatch = HookDispatch()
            with building(self.cfg, "default_hooks"):
                self.register_default_hooks(default_hooks)
            with building(self.cfg, "custom_hooks"):
                self.register_custom_hooks(list(custom_hooks or []))
            if record_digests:
                self.register_hook(DigestHook(record_digests))
            log_hooks(self)
            dump_config(self)

    def _open(self) -> None:
        """Scope, log processor, logger, message hub and visualizer, which parts built later use."""
        default_scope, log_processor, log_level, visualizer = self._logging
        self._is_open = True
        self._start_files = StartFiles.of_run(self)
        claimed = claim(self._experiment_name)
        self._release = weakref.finalize(self, release_run, self._experiment_name, claimed)
        os.makedirs(self._log_dir, exist_ok=True)
        self.default_scope = DefaultScope.get_instance(
            self._experiment_name, scope_name=default_scope or ROOT_SCOPE
        )
        with building(self.cfg, "log_processor"):
            self.log_processor = self.build_log_processor(log_processor)
        self.logger = self.build_logger(log_level=log_level)
        log_environment(self)
        self.message_hub = self.build_message_hub()
        with building(self.cfg, "visualizer"):
            self.visualizer = self.build_visualizer(visualizer)
        if is_main_process():
            self.visualizer.add_config(self.cfg)

    def _open_again(self) -> None:
        """After a start that failed and was undone: what it took to log is there again."""
        if not self._is_open:
            self._open()
            dump_config(self)

    @classmethod
    def from_cfg(cls, cfg: Any) -> Self:
        """Make a runner from a config.

        Args:
            cfg: A config, a dict, or the path of a config file. Keys that no section has are
                helper variables.

        Raises:
            ConfigError: A required section is missing, or a section cannot be built.
        """
        if isinstance(cfg, str | Path):
            cfg = Config.fromfile(str(cfg))
        cfg = copy.deepcopy(cfg)
        refuse_unchosen(cfg)
        doubtful = refuse_mistakes(cfg)
        sections = {
            name: with_classes_imported(cfg[name])
            for name in RUNNER_SECTIONS
            if name in cfg and name != "model"
        }
        runner = cls(model=require(cfg, "model"), **sections, cfg=cfg)
        for problem in doubtful:
            runner.logger.warning(str(problem))
        return runner

    def train(self) -> nn.Module:
        """Train the model.

        Returns:
            The trained model, in its wrapper if it has one.

        Raises:
            LoopError: Training is not described.
            ConfigError: Something that it needs is not.
        """
        if self._train_loop is None:
            raise LoopError.of("train")
        if self.is_training:
            raise LoopError(
                "this runner trains already",
                help="call train() when it has ended, or train with a runner of its own",
            )
        self._open_again()
        with ExitStack() as alone:
            # What is built now belongs to this run, also if another was constructed meanwhile.
            with self._undone_if_it_fails(), self.message_hub.as_current():
                if is_main_process():
                    alone.enter_context(training_alone_in(self.work_dir))
                self._dispatch.begin_run(self)
                self.build_training()
                self.call_hook("before_run")
                self._has_begun = True
                rates = planned_rates(self)
                self._prepare_training()

            loops = self.train_loop, self.val_loop
            with telling(self, rates):
                with (
                    naming_failed_rank(),
                    ending_workers(loops),
                    explaining_failures(self),
                    self.saving(),
                    self._training(),
                    Interruption(self).listening(),
                ):
                    model: nn.Module = self.train_loop.run()
                self.call_hook("after_run")
        return model

    def _prepare_training(self) -> None:
        """Weights, modes and counters as the training begins with, or goes on with."""
        is_first, self._is_prepared = not self._is_prepared, True
        if is_first:
            with self._keeping_loaded_weights():
                prepare_model(self.model, self.cfg)
            self.inner_states = inner = InnerStates(self)
            self._dispatch.call_last("before_train_epoch", lambda _: inner.begin_pass())
            self.settings = self.settings or Settings(self, self._anew).today
        self.load_or_resume()
        self._restore_what_waits()
        if is_first:
            self._begin_in_work_dir()
        self.follow_length_of_run()
        self.train_loop.stop_training = False
        if self._is_cut_off:
            resume.continue_where_it_stopped(self)
        if not (self._is_cut_off and resume.counts_agree(self)):
            self.optim_wrapper.initialize_count_status(self.model, self.iter, self.max_iters)
            resume.restore_accumulation(self)
        self.modes.begin(self.model)
        self._dispatch.call_last("before_train", Runner._settle)
        if is_first:
            compile_step(self.model, self.cfg, self.optim_wrapper)
            if is_main_process():
                record_config(self.cfg, self._log_dir)

    def _settle(self) -> None:
        """What is seen to once all hooks have acted before the training."""
        self.modes.settle(self.model)
        check_optimized(self.model, self.optim_wrapper)

    @contextmanager
    def _training(self) -> Iterator[None]:
        """A block in which the train loop runs; hooks clean up where it ends by an exception."""
        self.is_training, self._start_files = True, None
        try:
            yield
        except BaseException as error:
            self._is_cut_off = True
            self._dispatch.abandon(self, "train", error)
            raise
        else:
            self._is_cut_off = False
        finally:
            self.is_training = False

    def call_after_iterations(self, function: Callable[[], None] | None) -> None:
        """Have something called after each training iteration, behind all hooks.

        Args:
            function: What to call; ``None`` for nothing.
        """
        method = None if function is None else lambda *_, **__: function()
        self._dispatch.call_last("after_train_iter", method)

    def val(self) -> dict[str, Any]:
        """Validate the model; returns the metrics by name.

        Raises:
            LoopError: Validation is not described.
        """
        return self._evaluate("val")

    def test(self) -> dict[str, Any]:
        """Test the model; returns the metrics by name.

        Raises:
            LoopError: The test is not described.
        """
        return self._evaluate("test")

    def _evaluate(self, mode: str) -> dict[str, Any]:
        self._open_again()
        with self._undone_if_it_fails():
            if getattr(self, f"_{mode}_loop") is None:
                raise LoopError.of(mode)
            with building(self.cfg, f"{mode}_dataloader"):
                loop = self.val_loop if mode == "val" else self.test_loop
            if not self.is_training:
                self._dispatch.begin_run(self)
                self.call_hook("before_run")
                self._has_begun = True
                self.load_or_resume()
                self._restore_what_waits()
        self._start_files = None
        with (
            naming_failed_rank(),
            ending_workers([loop]),
            explaining_failures(self, advice="run it again"),
            evaluation(self, loop, mode),
        ):
            metrics: dict[str, Any] = loop.run()
        if not self.is_training:
            self.call_hook("after_run")
        return metrics

    def abandon(self, mode: str, error: BaseException) -> None:
        """Let hooks undo what they did for the time of a loop that ended by an exception.

        Args:
            mode: ``"train"``, ``"val"`` or ``"test"``.
            error: The exception.
        """
        self._dispatch.abandon(self, mode, error)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call a hook point: every hook that acts there, in order of priority.

        Args:
            fn_name: Name of the point; `mainspring.hooks.points` lists them.
            **kwargs: What the point passes on besides the runner.
        """
        for method in self._dispatch.methods(fn_name):
            method(self, **kwargs)

    def acting_at(self, point: str) -> tuple[HookMethod, ...]:
        """What is called at a hook point, each as ``method(runner, **arguments)``.

        Loops that reach a point often ask for this rather than call `call_hook`.

        Args:
            point: Name of the point.
        """
        if type(self).call_hook is not Runner.call_hook:
            return (lambda runner, **arguments: runner.call_hook(point, **arguments),)
        return self._dispatch.methods(point)

    def wrap_model(
        self, model_wrapper_cfg: Mapping[str, Any] | None, model: nn.Module
    ) -> nn.Module:
        """Put a model on its device and wrap it for the processes of this run."""
        return wrap_for_processes(model, model_wrapper_cfg, self.cfg, self.distributed)

    @contextmanager
    def _undone_if_it_fails(self) -> Iterator[None]:
        """Leave no files behind of a start that fails before anything is trained."""
        try:
            with self._shared_parts.active():
                yield
        except BaseException as error:
            give_place(error, self.cfg)
            note_unwritable(error, self.work_dir)
            if is_main_process() and self._start_files is not None:
                for undo in (self._release, self._start_files.discard):
                    with suppress(OSError):  # what the first error was may be in their way too
                        undo()
                self._is_open, self._start_files = False, None
            raise

    def use_seed(self, seed: int) -> None:
        """Take a seed over as the seed of this run."""
        self._seed = seed

    def __repr__(self) -> str:
        if not hasattr(self, "_model_name"):  # its constructor has failed
            return f"<{type(self).__name__}>"
        return (
            f"<{type(self).__name__} of {self._model_name} in {self.work_dir}, after epoch "
            f"{self.epoch}, iteration {self.iter}>"
        )
