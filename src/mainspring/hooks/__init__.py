"""Hooks: what acts at the points of a run. `mainspring.hooks.points` shows which there are."""

from mainspring.hooks.checkpoint_hook import CheckpointHook
from mainspring.hooks.digest_hook import DigestHook
from mainspring.hooks.dispatch import HookDispatch
from mainspring.hooks.divergence_hook import DivergenceError, DivergenceHook
from mainspring.hooks.early_stopping_hook import EarlyStoppingHook
from mainspring.hooks.ema_hook import EMAHook
from mainspring.hooks.empty_cache_hook import EmptyCacheHook
from mainspring.hooks.hook import Hook
from mainspring.hooks.iter_timer_hook import IterTimerHook
from mainspring.hooks.logger_hook import LoggerHook
from mainspring.hooks.naive_visualization_hook import NaiveVisualizationHook
from mainspring.hooks.param_scheduler_hook import ParamSchedulerHook
from mainspring.hooks.points import HOOK_POINTS, HookPoint, HookPointName
from mainspring.hooks.priority import Priority, get_priority
from mainspring.hooks.profiler_hook import NPUProfilerHook, ProfilerHook
from mainspring.hooks.progress_hook import ProgressHook
from mainspring.hooks.report_hook import ReportHook
from mainspring.hooks.run import Run
from mainspring.hooks.runtime_info_hook import RuntimeInfoHook
from mainspring.hooks.sampler_seed_hook import DistSamplerSeedHook
from mainspring.hooks.sync_buffer_hook import SyncBuffersHook
from mainspring.hooks.test_time_aug_hook import PrepareTTAHook, build_runner_with_tta

__all__ = [
    "HOOK_POINTS",
    "CheckpointHook",
    "DigestHook",
    "DistSamplerSeedHook",
    "DivergenceError",
    "DivergenceHook",
    "EMAHook",
    "EarlyStoppingHook",
    "EmptyCacheHook",
    "Hook",
    "HookDispatch",
    "HookPoint",
    "HookPointName",
    "IterTimerHook",
    "LoggerHook",
    "NPUProfilerHook",
    "NaiveVisualizationHook",
    "ParamSchedulerHook",
    "PrepareTTAHook",
    "Priority",
    "ProfilerHook",
    "ProgressHook",
    "ReportHook",
    "Run",
    "RuntimeInfoHook",
    "SyncBuffersHook",
    "build_runner_with_tta",
    "get_priority",
]
