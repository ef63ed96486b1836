"""A text config with a base, as tools/train.py runs it."""

import os

from mainspring.config import Config
from mainspring.runner import Runner

HERE = os.path.dirname(os.path.abspath(__file__))


def main(work_dir, name="child_config.py", **extra):
    cfg = Config.fromfile(os.path.join(HERE, name))
    cfg.work_dir = work_dir
    cfg.merge_from_dict({"randomness.seed": 2, **{f"randomness.{k}": v for k, v in extra.items()}})
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner
