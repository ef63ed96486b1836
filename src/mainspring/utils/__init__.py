"""MMEngine's helpers, none of which the engine imports; those that need torch are in `dl_utils`."""

from mainspring.names.imports import get_object_from_string, import_modules_from_strings
from mainspring.names.packages import (
    call_command,
    get_installed_path,
    install_package,
    is_installed,
)
from mainspring.registry.manager import ManagerMeta, ManagerMixin
from mainspring.utils.deprecation import deprecated_api_warning, deprecated_function
from mainspring.utils.methods import has_method, is_method_overridden
from mainspring.utils.nested import apply_to
from mainspring.utils.ntuple import to_1tuple, to_2tuple, to_3tuple, to_4tuple, to_ntuple
from mainspring.utils.path import (
    check_file_exist,
    fopen,
    is_abs,
    is_filepath,
    mkdir_or_exist,
    scandir,
    symlink,
)
from mainspring.utils.progressbar import (
    ProgressBar,
    track_iter_progress,
    track_parallel_progress,
    track_progress,
)
from mainspring.utils.progressbar_rich import track_progress_rich
from mainspring.utils.requirements import (
    check_prerequisites,
    requires_executable,
    requires_package,
)
from mainspring.utils.sequences import (
    concat_list,
    is_list_of,
    is_seq_of,
    is_str,
    is_tuple_of,
    iter_cast,
    list_cast,
    slice_list,
    tuple_cast,
)
from mainspring.utils.timer import Timer, TimerError, check_time
from mainspring.utils.version_utils import digit_version, get_git_hash

__all__ = [
    "ManagerMeta",
    "ManagerMixin",
    "ProgressBar",
    "Timer",
    "TimerError",
    "apply_to",
    "call_command",
    "check_file_exist",
    "check_prerequisites",
    "check_time",
    "concat_list",
    "deprecated_api_warning",
    "deprecated_function",
    "digit_version",
    "fopen",
    "get_git_hash",
    "get_installed_path",
    "get_object_from_string",
    "has_method",
    "import_modules_from_strings",
    "install_package",
    "is_abs",
    "is_filepath",
    "is_installed",
    "is_list_of",
    "is_method_overridden",
    "is_seq_of",
    "is_str",
    "is_tuple_of",
    "iter_cast",
    "list_cast",
    "mkdir_or_exist",
    "requires_executable",
    "requires_package",
    "scandir",
    "slice_list",
    "symlink",
    "to_1tuple",
    "to_2tuple",
    "to_3tuple",
    "to_4tuple",
    "to_ntuple",
    "track_iter_progress",
    "track_parallel_progress",
    "track_progress",
    "track_progress_rich",
    "tuple_cast",
]
