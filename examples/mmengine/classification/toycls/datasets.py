"""Pictures of gratings in four directions, drawn when they are asked for."""

from copy import deepcopy
from itertools import product

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose

from .registry import DATASETS, TRANSFORMS
from .structures import ClsDataSample


@DATASETS.register_module()
class GratingDataset(BaseDataset):
    METAINFO = dict(classes=("horizontal", "rising", "vertical", "falling"))

    def __init__(self, split, counts=dict(train=320, val=128), **kwargs):
        self.split, self.counts = split, counts
        super().__init__(**kwargs)

    def load_data_list(self):
        first = 0 if self.split == "train" else self.counts["train"]
        return [
            dict(sample_idx=index, gt_label=index % 4)
            for index in range(first, first + self.counts[self.split])
        ]

    def get_data_info(self, idx):
        data_info = super().get_data_info(idx)
        rng = np.random.RandomState(data_info["sample_idx"])
        angle = np.pi / 4 * (data_info["gt_label"] + rng.uniform(-0.3, 0.3))
        rows, columns = np.mgrid[:32, :32]
        wave = np.sin((rows * np.cos(angle) + columns * np.sin(angle)) * 0.8 + rng.uniform(0, 6))
        data_info["img"] = wave[..., None] * 60 + 120 + rng.normal(0, 60, (32, 32, 3))
        return data_info


@TRANSFORMS.register_module()
class RandomShift:
    def __init__(self, reach):
        self.reach = reach

    def __call__(self, results):
        shift = tuple(np.random.randint(-self.reach, self.reach + 1, 2))
        results["img"] = np.roll(results["img"], shift, axis=(0, 1))
        return results


@TRANSFORMS.register_module()
class RandomErasing:
    def __init__(self, erase_prob=0.5, size=8, fill=120.0):
        self.erase_prob, self.size, self.fill = erase_prob, size, fill

    def __call__(self, results):
        if np.random.rand() < self.erase_prob:
            row, column = np.random.randint(0, 32 - self.size, 2)
            results["img"][row : row + self.size, column : column + self.size] = self.fill
        return results


@TRANSFORMS.register_module()
class PackInputs:
    def __call__(self, results):
        img = torch.from_numpy(np.ascontiguousarray(results["img"].transpose(2, 0, 1))).float()
        data_sample = ClsDataSample(metainfo=dict(sample_idx=results["sample_idx"]))
        data_sample.set_gt_label(torch.tensor(results["gt_label"]))
        return dict(inputs=img, data_samples=data_sample)


@TRANSFORMS.register_module()
class TestTimeAug:
    """Each way through the groups of transforms gives an image of its own."""

    def __init__(self, transforms):
        self.subroutines = [Compose(list(way)) for way in product(*transforms)]

    def __call__(self, results):
        packed = [subroutine(deepcopy(results)) for subroutine in self.subroutines]
        return {key: [one[key] for one in packed] for key in packed[0]}
