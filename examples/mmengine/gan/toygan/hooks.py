"""A picture of what the generator makes."""

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS


@HOOKS.register_module()
class SampleHook(Hook):
    priority = "VERY_LOW"

    def __init__(self, interval, size=48, num_points=128):
        self.interval, self.size = interval, size
        self.noise = torch.randn(num_points, 4, generator=torch.Generator().manual_seed(0))

    @torch.no_grad()
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.every_n_train_iters(runner, self.interval):
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            points = model.generator(self.noise[:, : model.generator.noise_size])
            image = np.zeros((self.size, self.size, 3), dtype=np.uint8)
            places = ((points + 1.5) / 3 * self.size).long().clamp(0, self.size - 1)
            image[places[:, 1], places[:, 0]] = 255
            runner.visualizer.add_image("made", image, runner.iter + 1)
