"""Profiles the first epochs or iterations of a training."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mainspring.errors import ConfigError, did_you_mean
from mainspring.hooks.hook import DATA_BATCH, Hook, Outputs
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

__all__ = ["NPUProfilerHook", "ProfilerHook"]


@HOOKS.register_module()
class ProfilerHook(Hook):
    """Runs `torch.profiler` over the first part of a training.

    Args:
        by_epoch: Whether `profile_times` counts epochs rather than iterations.
        profile_times: How many epochs or iterations to profile.
        activity_with_cpu: Whether to record the CPU.
        activity_with_cuda: Whether to record the GPU.
        schedule: Arguments of `torch.profiler.schedule`: ``wait``, ``warmup``, ``active`` and so
            on, in iterations; records everything by default.
        on_trace_ready: What to do with a trace: a function of the profiler,
            ``dict(type="log_trace", sort_by=..., row_limit=...)`` for a table in the log, or
            ``dict(type="tb_trace", dir_name=...)`` for files that TensorBoard shows.
        record_shapes: Whether to record the shapes of inputs.
        profile_memory: Whether to record memory.
        with_stack: Whether to record the places in the source.
        with_flops: Whether to estimate floating point operations.
        json_trace_path: File to write the trace to, in Chrome's format.
        priority: Place among the hooks of a point; by default that of the class.

    Raises:
        ConfigError: An argument makes no sense.

    Example:
        >>> hook = ProfilerHook(by_epoch=False, profile_times=10, json_trace_path="trace.json")
        >>> custom_hooks = [hook]
    """

    priority: int | str | Priority = "VERY_LOW"

    def __init__(
        self,
        *,
        by_epoch: bool = True,
        profile_times: int = 1,
        activity_with_cpu: bool = True,
        activity_with_cuda: bool = False,
        schedule: dict[str, Any] | None = None,
        on_trace_ready: Callable[..., Any] | dict[str, Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        json_trace_path: str | None = None,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        if profile_times < 1:
            raise ConfigError(
                f"ProfilerHook: profile_times is {profile_times}", help="give 1 or more"
            )
        if not (activity_with_cpu or activity_with_cuda):
            raise ConfigError("ProfilerHook records neither the CPU nor the GPU")
        self.by_epoch = by_epoch
        self.profile_times = profile_times
        kinds = torch.profiler.ProfilerActivity
        chosen = {kinds.CPU: activity_with_cpu, kinds.CUDA: activity_with_cuda}
        self.activities = [kind for kind, is_chosen in chosen.items() if is_chosen]
        self.schedule = None if schedule is None else torch.profiler.schedule(**schedule)
        self.on_trace_ready = on_trace_ready
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self.with_stack = with_stack
        self.with_flops = with_flops
        self.json_trace_path = json_trace_path
        self.profiler: Any = None
        self._done = 0

    def before_train(self, runner: Run) -> None:
        """Start the profiler.

        Raises:
            ConfigError: The training is shorter than what is to be profiled.
        """
        length = runner.max_epochs if self.by_epoch else runner.max_iters
        if length < self.profile_times:
            unit = "epochs" if self.by_epoch else "iterations"
            raise ConfigError(
                f"ProfilerHook wants to profile {self.profile_times} {unit}, but training lasts "
                f"{length}",
                help="lower profile_times",
            )
        self._done = 0
        self.profiler = torch.profiler.profile(
            activities=self.activities,
            schedule=self.schedule,
            on_trace_ready=self._trace_handler(runner),
            record_shapes=self.record_shapes,
            profile_memory=self.profile_memory,
            with_stack=self.with_stack,
            with_flops=self.with_flops,
        )
        self.profiler.__enter__()
        runner.logger.info("profiling the training")

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Tell the profiler that an iteration is over."""
        if self.profiler is None:
            return
        self.profiler.step()
        if not self.by_epoch:
            self._count(runner)

    def after_train_epoch(self, runner: Run) -> None:
        """Stop after the last epoch to be profiled."""
        if self.by_epoch and self.profiler is not None:
            self._count(runner)

    def after_train(self, runner: Run) -> None:
        """Stop if training ended before."""
        self._stop(runner)

    def abandon(self, runner: Run, mode: str) -> None:
        """Stop with the training."""
        if mode == "train":
            self._stop(runner)

    def _count(self, runner: Run) -> None:
        self._done += 1
        if self._done == self.profile_times:
            self._stop(runner)

    def _stop(self, runner: Run) -> None:
        profiler, self.profiler = self.profiler, None
        if profiler is None:
            return
        profiler.__exit__(None, None, None)
        if self.json_trace_path is not None:
            profiler.export_chrome_trace(self.json_trace_path)
        runner.logger.info("profiling has ended")

    def _trace_handler(self, runner: Run) -> Callable[..., Any] | None:
        wanted: Any = self.on_trace_ready
        if wanted is None or callable(wanted):
            handler: Callable[..., Any] | None = wanted
            return handler
        options = dict(wanted) if isinstance(wanted, Mapping) else {}
        kind = options.pop("type", wanted)
        if kind == "log_trace":
            shown = {"sort_by": "self_cpu_time_total", "row_limit": 10, **options}
            return lambda profiler: runner.logger.info(profiler.key_averages().table(**shown))
        if kind == "tb_trace":
            directory = os.path.join(runner.log_dir, options.pop("dir_name", "tf_tracing_logs"))
            runner.logger.info(f"traces will be saved to {directory}")
            writer: Callable[..., Any] = torch.profiler.tensorboard_trace_handler(
                directory, **options
            )
            return writer
        raise ConfigError(
            f"ProfilerHook: on_trace_ready is {kind!r}",
            help=did_you_mean(str(kind), ("log_trace", "tb_trace"))
            or "give a function, or a dict whose type is 'log_trace' or 'tb_trace'",
        )


@HOOKS.register_module()
class NPUProfilerHook(Hook):
    """Runs the profiler of Ascend devices over some iterations; needs torch_npu.

    Args:
        begin: First iteration to profile.
        end: Iteration before which to stop.
        result_path: Directory for the results.
        exit_after_profiling: Whether to end the process when profiling is over.
        use_e2e_profiler: Whether to record both operators and host.
        ge_profiling_to_std_out: Whether the graph engine prints its timing.
        priority: Place among the hooks of a point; by default that of the class.

    Raises:
        ConfigError: `begin` is not before `end`.

    Example:
        >>> custom_hooks = [dict(type="NPUProfilerHook", begin=10, end=20)]
    """

    priority: int | str | Priority = "VERY_LOW"

    def __init__(
        self,
        *,
        begin: int = 0,
        end: int = 1,
        result_path: str = "cann_profiling",
        exit_after_profiling: bool = True,
        use_e2e_profiler: bool = False,
        ge_profiling_to_std_out: bool = False,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        if not 0 <= begin < end:
            raise ConfigError(
                f"NPUProfilerHook: begin is {begin} and end is {end}", help="begin before the end"
            )
        self.begin = begin
        self.end = end
        self.result_path = result_path
        self.exit_after_profiling = exit_after_profiling
        self.use_e2e_profiler = use_e2e_profiler
        if ge_profiling_to_std_out:
            os.environ["GE_PROFILING_TO_STD_OUT"] = "1"
        self.profiler: Any = None

    def before_train(self, runner: Run) -> None:
        """Check that the device is there and the training long enough.

        Raises:
            RuntimeError: There is no Ascend device.
            ConfigError: Training ends before profiling does.
        """
        from mainspring.device import is_npu_available

        if not is_npu_available():
            raise RuntimeError("NPUProfilerHook needs an Ascend device and torch_npu")
        if self.end > runner.max_iters:
            raise ConfigError(
                f"NPUProfilerHook: end is {self.end}, but training lasts {runner.max_iters} "
                "iterations"
            )
        os.makedirs(self.result_path, exist_ok=True)

    def before_train_iter(self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None) -> None:
        """Start at the first iteration to be profiled."""
        if runner.iter == self.begin:
            npu = getattr(torch, "npu")  # noqa: B009 - added to torch by torch_npu
            self.profiler = npu.profile(self.result_path, use_e2e_profiler=self.use_e2e_profiler)
            self.profiler.__enter__()

    def after_train_iter(
        self,
        runner: Run,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Stop after the last iteration to be profiled.

        Raises:
            SystemExit: Profiling is over and the process is to end.
        """
        if runner.iter != self.end - 1 or self.profiler is None:
            return
        self.profiler.__exit__(None, None, None)
        runner.logger.info(f"profiling has ended; the results are in {self.result_path}")
        if self.exit_after_profiling:
            raise SystemExit(0)
