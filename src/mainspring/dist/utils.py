"""MMEngine's path of process groups: who is here, and what sends between them."""

from mainspring.dist.process_group import *  # noqa: F403 - the names of MMEngine's are among its
