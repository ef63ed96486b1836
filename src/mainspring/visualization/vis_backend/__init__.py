"""Where scalars, images and configs are sent; a module for each backend."""

from mainspring.visualization.vis_backend.aim import AimVisBackend
from mainspring.visualization.vis_backend.base import BaseVisBackend, force_init_env
from mainspring.visualization.vis_backend.clearml import ClearMLVisBackend
from mainspring.visualization.vis_backend.dvclive import DVCLiveVisBackend
from mainspring.visualization.vis_backend.local import LocalVisBackend
from mainspring.visualization.vis_backend.mlflow import MLflowVisBackend
from mainspring.visualization.vis_backend.neptune import NeptuneVisBackend
from mainspring.visualization.vis_backend.tensorboard import TensorboardVisBackend
from mainspring.visualization.vis_backend.trackio import TrackioVisBackend
from mainspring.visualization.vis_backend.wandb import WandbVisBackend

__all__ = [
    "AimVisBackend",
    "BaseVisBackend",
    "ClearMLVisBackend",
    "DVCLiveVisBackend",
    "LocalVisBackend",
    "MLflowVisBackend",
    "NeptuneVisBackend",
    "TensorboardVisBackend",
    "TrackioVisBackend",
    "WandbVisBackend",
    "force_init_env",
]
