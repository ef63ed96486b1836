"""Points around a ring of eight middles, by registering in MMEngine's own registries."""

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS
from mmengine.structures import BaseDataElement


@DATASETS.register_module()
class RingDataset(BaseDataset):
    def __init__(self, count, **kwargs):
        self.count = count
        super().__init__(metainfo=dict(modes=8), **kwargs)

    def load_data_list(self):
        return [dict(mode=index % 8, seed=index) for index in range(self.count)]

    def prepare_data(self, idx):
        info = self.get_data_info(idx)
        angle = info["mode"] * np.pi / 4
        noise = np.random.RandomState(info["seed"]).normal(0, 0.05, 2)
        point = np.array([np.cos(angle), np.sin(angle)]) + noise
        data_sample = BaseDataElement(metainfo=dict(sample_idx=idx), mode=info["mode"])
        return self.pipeline(dict(inputs=point.astype(np.float32), data_samples=data_sample))
