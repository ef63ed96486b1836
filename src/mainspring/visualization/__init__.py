"""Where a run's scalars and images go, and drawing on images."""

from mainspring.visualization.curves import plot_curves
from mainspring.visualization.vis_backend import (
    AimVisBackend,
    BaseVisBackend,
    ClearMLVisBackend,
    DVCLiveVisBackend,
    LocalVisBackend,
    MLflowVisBackend,
    NeptuneVisBackend,
    TensorboardVisBackend,
    TrackioVisBackend,
    WandbVisBackend,
)
from mainspring.visualization.visualizer import Visualizer

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
    "Visualizer",
    "WandbVisBackend",
    "plot_curves",
]
