"""Checkpoint files: written atomically, read without running code, applied tolerantly."""

from mainspring.checkpoint.apply import (
    _load_checkpoint_to_model,
    get_state_dict,
    load_checkpoint,
    load_state_dict,
    weights_to_cpu,
)
from mainspring.checkpoint.average import average_checkpoints, last_checkpoints
from mainspring.checkpoint.contents import read_checkpoint
from mainspring.checkpoint.differences import Comparison, Difference, compare_checkpoints
from mainspring.checkpoint.export import export_weights
from mainspring.checkpoint.foreign import import_mmengine
from mainspring.checkpoint.latest import (
    LAST_CHECKPOINT,
    Resumable,
    begin_anew,
    find_latest_checkpoint,
    find_resumable_checkpoint,
    record_latest_checkpoint,
    require_whole,
    resolve_recorded_path,
)
from mainspring.checkpoint.model_zoo import (
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)
from mainspring.checkpoint.safe_load import load_file
from mainspring.checkpoint.safetensors_files import read_safetensors, write_safetensors
from mainspring.checkpoint.schemes import (
    CheckpointLoader,
    _load_checkpoint,
    _load_checkpoint_with_prefix,
)
from mainspring.checkpoint.seal import Verdict, verify_file
from mainspring.checkpoint.store import save_checkpoint
from mainspring.checkpoint.strip import strip_checkpoint

__all__ = [
    "LAST_CHECKPOINT",
    "CheckpointLoader",
    "Resumable",
    "Verdict",
    "_load_checkpoint",
    "_load_checkpoint_to_model",
    "_load_checkpoint_with_prefix",
    "begin_anew",
    "find_latest_checkpoint",
    "find_resumable_checkpoint",
    "get_deprecated_model_names",
    "get_external_models",
    "get_mmcls_models",
    "get_state_dict",
    "get_torchvision_models",
    "load_checkpoint",
    "load_file",
    "load_state_dict",
    "record_latest_checkpoint",
    "require_whole",
    "resolve_recorded_path",
    "save_checkpoint",
    "verify_file",
    "weights_to_cpu",
    "average_checkpoints",
    "last_checkpoints",
    "read_checkpoint",
    "Comparison",
    "Difference",
    "compare_checkpoints",
    "export_weights",
    "import_mmengine",
    "read_safetensors",
    "write_safetensors",
    "strip_checkpoint",
]
