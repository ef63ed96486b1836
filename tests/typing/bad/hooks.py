"""Mistakes in what a hook of one's own uses of the run."""

from mainspring.hooks import Hook, Run


class Wrong(Hook):
    def before_train_epoch(self, runner: Run) -> None:
        print(runner.epochs)  # error: epochs
        print(runner.max_iter)  # error: max_iter
        runner.loger.info("begins")  # error: loger
        runner.iter = 3  # error: iter
        runner.logger.inform("begins")  # error: inform
        runner.save_checkpoint(out="here")  # error: out

    def after_train(self, runner: int) -> None:  # error: after_train
        pass

    def after_train_iter(self, runner: Run, batch: int) -> None:  # error: after_train_iter
        name: int = runner.experiment_name  # error: int
        print(name)
