"""Where scalars, images and configs are sent."""

from mainspring.visualization.vis_backend.base import BaseVisBackend, force_init_env
from mainspring.visualization.vis_backend.local import LocalVisBackend
from mainspring.visualization.vis_backend.tensorboard import TensorboardVisBackend
from mainspring.visualization.vis_backend.trackers import (
    AimVisBackend,
    ClearMLVisBackend,
    DVCLiveVisBackend,
    MLflowVisBackend,
    NeptuneVisBackend,
    WandbVisBackend,
)

__all__ = [
    "AimVisBackend",
    "BaseVisBackend",
    "ClearMLVisBackend",
    "DVCLiveVisBackend",
    "LocalVisBackend",
    "MLflowVisBackend",
    "NeptuneVisBackend",
    "TensorboardVisBackend",
    "WandbVisBackend",
    "force_init_env",
]
