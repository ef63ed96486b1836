"""Intersection over union of each class."""

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log

from .registry import METRICS


@METRICS.register_module()
class IoUMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        num_classes = len(self.dataset_meta["classes"])
        for data_sample in data_samples:
            label = data_sample["gt_sem_seg"]["data"].flatten()
            pred = data_sample["pred_sem_seg"]["data"].flatten().to(label)
            self.results.append(
                tuple(
                    torch.bincount(which, minlength=num_classes)
                    for which in (pred[pred == label], pred, label)
                )
            )

    def compute_metrics(self, results):
        logger: MMLogger = MMLogger.get_current_instance()
        both, pred, label = (torch.stack(one).sum(dim=0) for one in zip(*results))
        iou = both / (pred + label - both) * 100
        for name, value in zip(self.dataset_meta["classes"], iou.tolist()):
            print_log(f"{name:>12} {value:6.2f}", logger=logger)
        return dict(
            aAcc=float(both.sum() / label.sum() * 100),
            mIoU=float(iou.mean()),
            mAcc=float((both / label).mean() * 100),
        )
