"""Pictures of overlapping blobs, drawn when they are asked for."""

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.structures import PixelData

from .registry import DATASETS, TRANSFORMS
from .structures import SegDataSample


@DATASETS.register_module()
class BlobDataset(BaseDataset):
    METAINFO = dict(
        classes=("background", "red", "green", "blue"),
        palette=[[0, 0, 0], [200, 40, 40], [40, 200, 40], [40, 40, 200]],
    )

    def __init__(self, seeds, size=64, **kwargs):
        self.seeds, self.size = range(*seeds), size
        super().__init__(**kwargs)

    def load_data_list(self):
        return [dict(seed=seed, reduce_zero_label=False, seg_fields=[]) for seed in self.seeds]

    def prepare_data(self, idx):
        results = self.get_data_info(idx)
        rng = np.random.RandomState(results["seed"])
        rows, columns = np.mgrid[: self.size, : self.size]
        labels = np.zeros((self.size, self.size), dtype=np.int64)
        for _ in range(5):
            row, column = rng.randint(0, self.size, 2)
            radius = rng.randint(8, 18)
            labels[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = rng.randint(1, 4)
        colors = np.array(self.metainfo["palette"])[labels]
        noise = rng.normal(0, 60, colors.shape)
        results["img"] = np.clip(colors + noise, 0, 255).astype(np.uint8)
        results["gt_seg_map"] = labels
        return self.pipeline(results)


@TRANSFORMS.register_module()
class RandomCrop:
    def __init__(self, crop_size, cat_max_ratio=1.0, ignore_index=255):
        self.crop_size, self.cat_max_ratio = crop_size, cat_max_ratio
        self.ignore_index = ignore_index

    def crop_bbox(self, img):
        top = np.random.randint(0, img.shape[0] - self.crop_size[0] + 1)
        left = np.random.randint(0, img.shape[1] - self.crop_size[1] + 1)
        return slice(top, top + self.crop_size[0]), slice(left, left + self.crop_size[1])

    def __call__(self, results):
        place = self.crop_bbox(results["img"])
        for _ in range(10 if self.cat_max_ratio < 1.0 else 0):
            _, counts = np.unique(results["gt_seg_map"][place], return_counts=True)
            if len(counts) > 1 and counts.max() / counts.sum() < self.cat_max_ratio:
                break
            place = self.crop_bbox(results["img"])
        results["img"] = results["img"][place]
        results["gt_seg_map"] = results["gt_seg_map"][place]
        return results


@TRANSFORMS.register_module()
class PackSegInputs:
    def __call__(self, results):
        img = np.ascontiguousarray(results["img"].transpose(2, 0, 1))
        labels = np.ascontiguousarray(results["gt_seg_map"])[None]
        data_sample = SegDataSample(metainfo=dict(seed=results["seed"], img_shape=img.shape[1:]))
        data_sample.gt_sem_seg = PixelData(data=torch.from_numpy(labels))
        return dict(inputs=torch.from_numpy(img), data_samples=data_sample)
