"""Predictions averaged over changed images."""

from mmengine.model import BaseTTAModel

from .registry import MODELS


@MODELS.register_module()
class AverageClsScoreTTA(BaseTTAModel):
    def merge_preds(self, data_samples_list):
        merged = []
        for data_samples in data_samples_list:
            score = sum(one.pred_score for one in data_samples) / len(data_samples)
            merged.append(data_samples[0].new().set_pred_score(score))
        return merged
