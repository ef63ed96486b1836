"""A hook of one's own: what it uses of the run is known, whether it says a type or not."""

from torch import nn

from mainspring.hooks import Hook, Run
from mainspring.runner import Runner


class Freeze(Hook):
    def __init__(self, until: int) -> None:
        self.until = until

    def before_train_epoch(self, runner: Run) -> None:
        model: nn.Module = runner.model
        model.requires_grad_(runner.epoch >= self.until)
        left: int = runner.max_epochs - runner.epoch
        runner.logger.info(f"{runner.experiment_name}: {left} epochs to go")
        runner.message_hub.update_scalar("train/left", left)
        runner.visualizer.add_scalar("left", left, step=runner.iter)

    def after_train(self, runner: Run) -> None:
        runner.save_checkpoint(runner.work_dir, "last.pth", save_optimizer=False)
        metrics: dict[str, float] = runner.val()
        print(metrics)


def as_run(runner: Runner) -> Run:
    return runner
