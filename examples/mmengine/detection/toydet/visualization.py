"""Boxes over pictures."""

from mmengine.dist import master_only
from mmengine.visualization import Visualizer

from .registry import VISUALIZERS


@VISUALIZERS.register_module()
class DetLocalVisualizer(Visualizer):
    @master_only
    def add_datasample(self, name, image, data_sample, step=0):
        self.set_image(image)
        palette = self.dataset_meta["palette"]
        instances = data_sample.pred_instances.cpu()
        for box, label, score in zip(instances.bboxes, instances.labels, instances.scores):
            color = palette[label]
            self.draw_bboxes(box.clamp(0, image.shape[0]), edge_colors=color, line_widths=1)
            text = f"{self.dataset_meta['classes'][label]} {score:.2f}"
            self.draw_texts(text, box[:2].clamp(min=0), font_sizes=5, colors=color)
        self.add_image(name, self.get_image(), step)
