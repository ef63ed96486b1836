import argparse
import os.path as osp
import sys
from copy import deepcopy

from mmengine.config import Config, ConfigDict, DictAction
from mmengine.evaluator import DumpResults
from mmengine.hooks import Hook
from mmengine.runner import Runner


def parse_args():
    parser = argparse.ArgumentParser(description="Test a model")
    parser.add_argument("config", help="test config file path")
    parser.add_argument("checkpoint", help="checkpoint file")
    parser.add_argument("--work-dir", help="the directory to save the evaluation metrics")
    parser.add_argument("--out", type=str, help="dump predictions to a pickle file")
    parser.add_argument("--tta", action="store_true", help="enable test time augmentation")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    return parser.parse_args()


class PrintMetricsHook(Hook):
    def after_test_epoch(self, runner, metrics=None):
        print(metrics)


def main():
    args = parse_args()
    # The package of the project lies beside its configs.
    sys.path.insert(0, osp.dirname(osp.dirname(osp.abspath(args.config))))
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    cfg.work_dir = args.work_dir or osp.join(
        "./work_dirs", osp.splitext(osp.basename(args.config))[0]
    )
    cfg.load_from = args.checkpoint
    if args.tta:
        cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
        cfg.test_dataloader.dataset.pipeline = deepcopy(cfg.tta_pipeline)

    runner = Runner.from_cfg(cfg)
    if args.out is not None:
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    runner.register_hook(PrintMetricsHook(), "LOWEST")
    runner.test()


if __name__ == "__main__":
    main()
