"""The one gate through which a name in a config becomes an object; imports, installed packages."""

from mainspring.names.gate import (
    DataName,
    ForbiddenNameError,
    Origin,
    allow_packages,
    holds_data_names,
    import_named,
    is_allowed,
    is_of_stdlib,
    origin_of,
    refuse_trust,
    with_names_marked,
)
from mainspring.names.kinds import remember_registered, was_registered

__all__ = [
    "DataName",
    "ForbiddenNameError",
    "Origin",
    "allow_packages",
    "holds_data_names",
    "import_named",
    "is_allowed",
    "is_of_stdlib",
    "origin_of",
    "refuse_trust",
    "remember_registered",
    "was_registered",
    "with_names_marked",
]
