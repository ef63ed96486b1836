"""What ``import mmengine`` finds in a process that was started by one that has the alias."""

import mainspring.compat.mmengine  # noqa: F401 - puts the alias in this module's place
