"""How often each class was seen in an epoch."""

from collections import Counter

from mmengine.hooks import Hook

from .registry import HOOKS


@HOOKS.register_module()
class ClassCountHook(Hook):
    priority = "LOW"

    def before_train_epoch(self, runner):
        self.counts = Counter()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.counts.update(int(one.gt_label) for one in data_batch["data_samples"])

    def after_train_epoch(self, runner):
        classes = runner.train_dataloader.dataset.metainfo["classes"]
        counts = ", ".join(f"{name} {self.counts[i]}" for i, name in enumerate(classes))
        runner.logger.info(f"seen in epoch {runner.epoch + 1}: {counts}")
        runner.message_hub.update_info("class_counts", dict(self.counts))
