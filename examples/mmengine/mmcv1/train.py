"""Learn a function of two variables, as projects of MMCV 1.x trained."""

import argparse
import os.path as osp
import time

import mmcv
import numpy as np
import torch
from mmcv.runner import (
    HOOKS,
    BaseModule,
    EvalHook,
    Hook,
    build_optimizer,
    build_runner,
    set_random_seed,
)
from mmcv.utils import Config, DictAction, Registry, build_from_cfg, get_logger
from torch import nn
from torch.utils.data import DataLoader, Dataset

MODELS = Registry("models")


class WaveDataset(Dataset):
    def __init__(self, count, first=0):
        rng = np.random.RandomState(first)
        self.points = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
        self.values = np.sin(3 * self.points[:, :1]) * self.points[:, 1:]

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        return dict(point=self.points[index], value=self.values[index])

    def evaluate(self, results, logger=None):
        residual = np.mean((np.stack(results) - self.values) ** 2)
        return dict(r2=float(1 - residual / self.values.var()), mse=float(residual))


@MODELS.register_module()
class Regressor(BaseModule):
    def __init__(self, hidden, init_cfg=dict(type="Xavier", layer="Linear")):
        super().__init__(init_cfg)
        self.layers = nn.Sequential(
            nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, point, value=None, return_loss=True):
        found = self.layers(point)
        if return_loss:
            return dict(loss_mse=nn.functional.mse_loss(found, value))
        return list(found.numpy())

    def train_step(self, data, optimizer):
        losses = self(**data)
        loss = sum(losses.values())
        log_vars = {name: value.item() for name, value in losses.items()}
        return dict(loss=loss, log_vars=log_vars, num_samples=len(data["point"]))

    val_step = train_step


@HOOKS.register_module()
class GradNormHook(Hook):
    def after_train_epoch(self, runner):
        weights = sum(one.norm().item() for one in runner.model.parameters())
        runner.logger.info(f"norm of the weights after epoch {runner.epoch + 1}: {weights:.4f}")


def parse_args():
    parser = argparse.ArgumentParser(description="Train a model")
    parser.add_argument("config", help="train config file path")
    parser.add_argument("--work-dir", help="the dir to save logs and models")
    parser.add_argument("--resume-from", help="the checkpoint file to resume from")
    parser.add_argument("--auto-resume", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    return parser.parse_args()


def main():
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    cfg.work_dir = args.work_dir or osp.join("./work_dirs", "mmcv1")
    mmcv.mkdir_or_exist(osp.abspath(cfg.work_dir))
    timestamp = time.strftime("%Y%m%d_%H%M%S", time.localtime())
    log_file = osp.join(cfg.work_dir, f"{timestamp}.log")
    logger = get_logger("mmcv1", log_file=log_file, log_level=cfg.log_level)
    set_random_seed(args.seed)

    model = build_from_cfg(cfg.model, MODELS)
    model.init_weights()
    train_set = WaveDataset(**cfg.data.train)
    val_set = WaveDataset(first=1, **cfg.data.val)
    train_loader = DataLoader(
        train_set,
        batch_size=cfg.data.samples_per_gpu,
        num_workers=cfg.data.workers_per_gpu,
        shuffle=True,
    )
    val_loader = DataLoader(val_set, batch_size=cfg.data.samples_per_gpu)

    optimizer = build_optimizer(model, cfg.optimizer)
    runner = build_runner(
        cfg.runner,
        default_args=dict(
            model=model,
            optimizer=optimizer,
            work_dir=cfg.work_dir,
            logger=logger,
            meta=dict(exp_name="mmcv1", seed=args.seed),
        ),
    )
    runner.timestamp = timestamp
    runner.register_training_hooks(
        cfg.lr_config,
        cfg.optimizer_config,
        cfg.checkpoint_config,
        cfg.log_config,
        cfg.get("momentum_config", None),
        custom_hooks_config=[dict(type="GradNormHook", priority="LOW")],
    )
    runner.register_hook(EvalHook(val_loader, **cfg.evaluation), priority="LOW")
    if args.resume_from is not None:
        runner.resume(args.resume_from)
    elif args.auto_resume:
        runner.auto_resume()
    elif cfg.load_from:
        runner.load_checkpoint(cfg.load_from)
    torch.set_num_threads(1)
    runner.run([train_loader], cfg.workflow)


if __name__ == "__main__":
    main()
