"""Pictures of rectangles and ellipses, drawn when they are asked for."""

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData

from .registry import DATASETS, TRANSFORMS
from .structures import DetDataSample


@DATASETS.register_module()
class ShapesDataset(BaseDataset):
    METAINFO = dict(classes=("rectangle", "ellipse"), palette=[(220, 20, 60), (0, 120, 220)])

    def __init__(self, num_images, size=64, first=0, **kwargs):
        self.num_images, self.size, self.first = num_images, size, first
        super().__init__(**kwargs)

    def load_data_list(self):
        data_list = []
        for index in range(self.first, self.first + self.num_images):
            rng = np.random.RandomState(index)
            instances = []
            for _ in range(rng.randint(1, 4)):
                width, height = rng.randint(12, 28, 2)
                left, top = rng.randint(0, (self.size - width, self.size - height))
                box = [int(left), int(top), int(left + width), int(top + height)]
                instances.append(dict(bbox=box, bbox_label=int(rng.randint(2))))
            data_list.append(
                dict(img_id=index, height=self.size, width=self.size, instances=instances)
            )
        return data_list

    def prepare_data(self, idx):
        data_info = self.get_data_info(idx)
        data_info["img"] = draw(data_info, self.size)
        data_info["gt_bboxes"] = np.array(
            [one["bbox"] for one in data_info["instances"]], dtype=np.float32
        )
        data_info["gt_labels"] = np.array([one["bbox_label"] for one in data_info["instances"]])
        return self.pipeline(data_info)


def draw(data_info, size):
    rng = np.random.RandomState(data_info["img_id"])
    img = rng.randint(0, 60, (size, size, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:size, :size] + 0.5
    for one in data_info["instances"]:
        left, top, right, bottom = one["bbox"]
        x = (columns - (left + right) / 2) / ((right - left) / 2)
        y = (rows - (top + bottom) / 2) / ((bottom - top) / 2)
        inside = np.maximum(abs(x), abs(y)) < 1 if one["bbox_label"] == 0 else x**2 + y**2 < 1
        img[inside] = rng.randint(110, 256, 3)
    return img


@TRANSFORMS.register_module()
class RandomFlip:
    def __init__(self, prob=0.5):
        self.prob = prob

    def __call__(self, results):
        results["flip"] = bool(np.random.rand() < self.prob)
        if results["flip"]:
            results["img"] = results["img"][:, ::-1]
            boxes = results["gt_bboxes"]
            boxes[:, [0, 2]] = results["width"] - boxes[:, [2, 0]]
        return results


@TRANSFORMS.register_module()
class PackDetInputs:
    def __init__(self, meta_keys=("img_id", "flip")):
        self.meta_keys = meta_keys

    def __call__(self, results):
        img = np.ascontiguousarray(results["img"].transpose(2, 0, 1))
        data_sample = DetDataSample()
        data_sample.gt_instances = InstanceData(
            bboxes=torch.from_numpy(results["gt_bboxes"]),
            labels=torch.from_numpy(results["gt_labels"]),
        )
        metainfo = {key: results[key] for key in self.meta_keys if key in results}
        data_sample.set_metainfo(dict(img_shape=img.shape[1:], **metainfo))
        return dict(inputs=torch.from_numpy(img), data_samples=data_sample)
