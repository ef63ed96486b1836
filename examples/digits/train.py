"""Train a small CNN on handwritten digits and say where everything lies: `make demo`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Train, draw the curves, and print where the results are."""
    sys.path.insert(0, str(HERE))
    from mainspring.config import Config
    from mainspring.runner import Runner
    from mainspring.visualization.curves import plot_curves

    cfg = Config.fromfile(str(HERE / "config.py"))
    cfg.work_dir = "work_dirs/digits"
    runner = Runner.from_cfg(cfg)
    runner.train()

    hub = runner.message_hub
    best = hub.get_info("best_ckpt")
    scalars = Path(runner.log_dir) / "vis_data" / "scalars.json"
    curves = plot_curves(str(scalars), str(Path(runner.log_dir) / "curves.png"))
    print(f"\nheld-out accuracy   {hub.get_info('best_score'):.2f} %")
    print(f"log                 {Path(runner.log_dir) / (runner.timestamp + '.log')}")
    print(f"curves              {curves}")
    print(f"best checkpoint     {best}")


if __name__ == "__main__":
    main()
