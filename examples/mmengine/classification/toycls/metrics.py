"""Among the how many best scores the class is."""

import torch
from mmengine.evaluator import BaseMetric

from .registry import METRICS


@METRICS.register_module()
class Accuracy(BaseMetric):
    default_prefix = "accuracy"

    def __init__(self, topk=(1,), collect_device="cpu", prefix=None):
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk = topk

    def process(self, data_batch, data_samples):
        for data_sample in data_samples:
            self.results.append((data_sample["pred_score"].cpu(), data_sample["gt_label"].cpu()))

    def compute_metrics(self, results):
        scores = torch.stack([one[0] for one in results])
        labels = torch.stack([one[1] for one in results])
        best = scores.topk(max(self.topk), dim=1).indices == labels[:, None]
        return {f"top{k}": best[:, :k].any(dim=1).float().mean().item() * 100 for k in self.topk}
