"""The runner and its loops."""

from mainspring.checkpoint import (
    CheckpointLoader,
    find_latest_checkpoint,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_state_dict,
    get_torchvision_models,
    load_checkpoint,
    load_state_dict,
    save_checkpoint,
    weights_to_cpu,
)
from mainspring.config.words import ByEpoch, ByIteration
from mainspring.device import autocast
from mainspring.hooks import Priority, get_priority
from mainspring.model import turn_on_activation_checkpointing
from mainspring.rng.seeding import set_random_seed
from mainspring.runner._flexible_runner import FlexibleRunner
from mainspring.runner.log_processor import LogProcessor
from mainspring.runner.loops import (
    BaseLoop,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    TestLoop,
    ValLoop,
)
from mainspring.runner.runner import Runner
from mainspring.runner.workflow_loop import WorkflowTrainLoop

__all__ = [
    "BaseLoop",
    "ByEpoch",
    "ByIteration",
    "CheckpointLoader",
    "EpochBasedTrainLoop",
    "FlexibleRunner",
    "IterBasedTrainLoop",
    "LogProcessor",
    "Priority",
    "Runner",
    "TestLoop",
    "ValLoop",
    "WorkflowTrainLoop",
    "autocast",
    "find_latest_checkpoint",
    "get_deprecated_model_names",
    "get_external_models",
    "get_mmcls_models",
    "get_priority",
    "get_state_dict",
    "get_torchvision_models",
    "load_checkpoint",
    "load_state_dict",
    "save_checkpoint",
    "set_random_seed",
    "turn_on_activation_checkpointing",
    "weights_to_cpu",
]
