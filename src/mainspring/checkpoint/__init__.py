"""Checkpoint files: written atomically, read without running code, applied tolerantly."""

from mainspring.checkpoint.apply import (
    _load_checkpoint_to_model,
    get_state_dict,
    load_checkpoint,
    load_state_dict,
    weights_to_cpu,
)
from mainspring.checkpoint.latest import (
    LAST_CHECKPOINT,
    Resumable,
    find_latest_checkpoint,
    find_resumable_checkpoint,
    record_latest_checkpoint,
    require_whole,
    resolve_recorded_path,
)
from mainspring.checkpoint.safe_load import load_file
from mainspring.checkpoint.schemes import (
    CheckpointLoader,
    _load_checkpoint,
    _load_checkpoint_with_prefix,
)
from mainspring.checkpoint.seal import Verdict, verify_file
from mainspring.checkpoint.store import save_checkpoint

__all__ = [
    "LAST_CHECKPOINT",
    "CheckpointLoader",
    "Resumable",
    "Verdict",
    "_load_checkpoint",
    "_load_checkpoint_to_model",
    "_load_checkpoint_with_prefix",
    "find_latest_checkpoint",
    "find_resumable_checkpoint",
    "get_state_dict",
    "load_checkpoint",
    "load_file",
    "load_state_dict",
    "record_latest_checkpoint",
    "require_whole",
    "resolve_recorded_path",
    "save_checkpoint",
    "verify_file",
    "weights_to_cpu",
]
