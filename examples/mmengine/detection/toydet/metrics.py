"""How many objects are found, and how many of those found are objects."""

import torch
from mmengine.evaluator import BaseMetric

from .registry import METRICS


@METRICS.register_module()
class RecallMetric(BaseMetric):
    default_prefix = "det"

    def __init__(self, iou_thr=0.5, collect_device="cpu", prefix=None):
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.iou_thr = iou_thr

    def process(self, data_batch, data_samples):
        for sample in data_samples:
            truth, found = sample["gt_instances"], sample["pred_instances"]
            overlap = iou(found["bboxes"], truth["bboxes"]) > self.iou_thr
            matched = overlap & (found["labels"][:, None] == truth["labels"])
            self.results.append(
                dict(
                    objects=len(truth["labels"]),
                    found=len(found["labels"]),
                    hit=int(matched.any(dim=0).sum()),
                    right=int(matched.any(dim=1).sum()),
                )
            )

    def compute_metrics(self, results):
        total = {key: sum(one[key] for one in results) for key in results[0]}
        recall = total["hit"] / max(total["objects"], 1)
        precision = total["right"] / max(total["found"], 1)
        f1 = 2 * recall * precision / max(recall + precision, 1e-6)
        return dict(recall=recall, precision=precision, f1=f1)


def iou(left, right):
    begin = torch.maximum(left[:, None, :2], right[:, :2])
    end = torch.minimum(left[:, None, 2:], right[:, 2:])
    common = (end - begin).clamp(min=0).prod(dim=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(dim=1) for boxes in (left, right)]
    return common / (areas[0][:, None] + areas[1] - common)
