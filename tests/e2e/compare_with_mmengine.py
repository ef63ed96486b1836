"""Run every program under MMEngine and under mainspring and compare what they log.

    python tests/e2e/compare_with_mmengine.py --mmengine PYTHON_WITH_MMENGINE

PYTHON_WITH_MMENGINE is an interpreter whose environment has mmengine 0.10.7. Prints one line for
each program: how many logged values were compared and how many differ in any digit.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
EXAMPLES = Path(__file__).parents[2] / "examples" / "mmengine"
PROJECTS = {
    "detection": "point_tiny_8e_shapes",
    "segmentation": "unet_80i_blobs-48x48",
    "classification": "smallnet_4e_gratings",
    "gan": "gan_ring",
}
NAMES = ["manual_objects", "by_name", "by_iteration", "config_file"]
TIMINGS = ("time", "data_time", "memory", "val_time", "val_data_time")

DRIVER = """
import sys, json
import torch
_load = torch.load
torch.load = lambda *a, **k: _load(*a, **{{**k, "weights_only": False}})
sys.path.insert(0, {programs!r})
import importlib
module = importlib.import_module({name!r})
module.main({work_dir!r}, **json.loads({extra!r}))
"""


def scalars(work_dir):
    rows = []
    for file in sorted(Path(work_dir).glob("*/vis_data/scalars.json")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            rows.append({key: row[key] for key in sorted(row) if key not in TIMINGS})
    return rows


def run(python, package, name, root):
    programs = Path(root) / package / "programs"
    if not programs.exists():
        shutil.copytree(PROGRAMS, programs)
        for file in programs.glob("*.py"):
            file.write_text(file.read_text().replace("mainspring", package))
    work_dir = Path(root) / package / name
    extra = json.dumps({"sample_rng": "worker"} if package == "mainspring" else {})
    code = DRIVER.format(programs=str(programs), name=name, work_dir=str(work_dir), extra=extra)
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, env=os.environ)
    if result.returncode:
        sys.exit(f"{name} failed under {package}:\n{result.stderr[-3000:]}")
    return work_dir


def train_example(python, package, project, root):
    work_dir = Path(root) / package / project
    folder = EXAMPLES / project
    verb = ["-m", "mainspring", "exec"] if package == "mainspring" else []
    config = folder / "configs" / f"{PROJECTS[project]}.py"
    words = [EXAMPLES / "tools" / "train.py", config, "--work-dir", work_dir]
    result = subprocess.run([python, *verb, *words], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{project} failed under {package}:\n{result.stderr[-3000:]}")
    return work_dir


def compare(ours, theirs):
    compared, differing = 0, []
    for index, (left, right) in enumerate(zip(ours, theirs, strict=False)):
        for key in sorted(left.keys() | right.keys()):
            compared += 1
            if left.get(key) != right.get(key):
                differing.append(f"row {index} {key}: ours {left.get(key)} theirs {right.get(key)}")
    if len(ours) != len(theirs):
        differing.append(f"{len(ours)} rows of ours, {len(theirs)} of theirs")
    return compared, differing


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mmengine", required=True, help="interpreter with mmengine 0.10.7")
    parser.add_argument("--write-golden", action="store_true", help="store what MMEngine logged")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as root:
        for name in [*NAMES, *PROJECTS]:
            train = train_example if name in PROJECTS else run
            theirs = scalars(train(options.mmengine, "mmengine", name, root))
            if options.write_golden:
                golden = Path(__file__).parent / "golden" / f"{name}.json"
                golden.parent.mkdir(exist_ok=True)
                golden.write_text("\n".join(json.dumps(row) for row in theirs) + "\n")
            ours = scalars(train(sys.executable, "mainspring", name, root))
            compared, differing = compare(ours, theirs)
            print(
                f"{name:16} rows {len(theirs):3}  values {compared:4}  differing {len(differing)}"
            )
            for line in differing[:8]:
                print("    ", line)
            ours_files, theirs_files = (
                sorted(p.name for p in (Path(root) / package / name).glob("*") if p.is_file())
                for package in ("mainspring", "mmengine")
            )
            strip = [
                [f for f in files if not f.startswith("20")] for files in (ours_files, theirs_files)
            ]
            print(
                f"{'':16} files equal: {strip[0] == strip[1]}  {strip[0]} {strip[1] if strip[0] != strip[1] else ''}"
            )
            failed = failed or bool(differing) or strip[0] != strip[1]
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
