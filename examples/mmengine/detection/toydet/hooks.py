"""Pictures of a validation."""

from mmengine.hooks import Hook
from mmengine.visualization import Visualizer

from .registry import HOOKS


@HOOKS.register_module()
class DetVisualizationHook(Hook):
    def __init__(self, interval=4):
        self.interval = interval
        self._visualizer = Visualizer.get_current_instance()

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.every_n_inner_iters(batch_idx, self.interval):
            image = data_batch["inputs"][0].permute(1, 2, 0).numpy()
            name = f"val_img_{outputs[0].img_id}"
            self._visualizer.add_datasample(name, image, outputs[0], step=runner.iter)
