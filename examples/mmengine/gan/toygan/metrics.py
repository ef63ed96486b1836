"""How far made points are from the ring's middles, and how many of these are reached."""

from typing import Dict, List

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS


@METRICS.register_module()
class RingMetric(BaseMetric):
    default_prefix = "ring"

    def process(self, data_batch: dict, data_samples: List[dict]) -> None:
        self.results.extend(sample["fake"].cpu() for sample in data_samples)

    def compute_metrics(self, results: list) -> Dict[str, float]:
        angles = torch.arange(self.dataset_meta["modes"]) * torch.pi / 4
        middles = torch.stack([angles.cos(), angles.sin()], dim=1)
        distance, nearest = torch.cdist(torch.stack(results), middles).min(dim=1)
        reached = nearest[distance < 0.3].unique()
        return dict(distance=distance.mean().item(), modes=len(reached))
