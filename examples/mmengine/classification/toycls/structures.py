"""The class of an image, and the scores of all classes."""

from mmengine.structures import BaseDataElement


class ClsDataSample(BaseDataElement):
    def set_gt_label(self, value):
        self.set_field(value, "gt_label")
        return self

    def set_pred_score(self, value):
        self.set_field(value, "pred_score")
        return self
