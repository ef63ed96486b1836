"""Write the page that lists every public name of MMEngine 0.10.7 with its state here.

python scripts/mmengine_page.py            # write docs/mmengine-names.md
python scripts/mmengine_page.py --check    # exit with 1 if it is out of date
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "mmengine-names.md"
INVENTORY = Path(__file__).with_name("mmengine_names.json")

BETTER = {
    "CheckpointHook": "files are written whole, in the background if wished, and kept until safe",
    "Config": "errors have file, line and column; reading data runs no program",
    "Runner": "resumes at the iteration where it stopped, with the same losses",
    "EpochBasedTrainLoop": "resumes within an epoch",
    "IterBasedTrainLoop": "resumes without loading what was seen",
    "EMAHook": "nothing is copied before it begins; all weights are averaged by one call",
    "HistoryBuffer": "grows without copying itself",
    "LoggerHook": "one copy from the device for each line",
    "MessageHub": "scalars stay on the device until a line is written",
    "Registry": "an unknown name names its neighbours and where it was looked for",
    "build_from_cfg": "errors name the place in the config, the signature and near names",
    "load_checkpoint": "runs no code from the file",
    "save_checkpoint": "a file is whole or is not there",
}
DIFFERENT = {
    **dict.fromkeys(
        ("ColossalAIStrategy", "DeepSpeedStrategy", "FSDPStrategy"),
        "refuses to be built, and says what does the job here",
    ),
    "EarlyStoppingHook": "an equal score is no improvement, also where min_delta is 0",
    "PetrelBackend": "through s3fs: Petrel's client is not public",
    "load_from_ceph": "through s3fs: Petrel's client is not public",
    "PickleHandler": "runs no code from a file, unless told to with trust=True",
    "find_latest_checkpoint": "last_checkpoint holds a relative path, and a torn file is passed",
    "__version__": "0.10.7, as projects ask for it; mainspring.__version__ is ours",
    "version_info": "that of 0.10.7; mainspring.version_info is ours",
}


def state_of(module: object, name: str) -> str:
    """What a name of a module is here, in a word and a reason."""
    if not hasattr(module, name):
        return "**missing**"
    if name in DIFFERENT:
        return f"different: {DIFFERENT[name]}"
    return f"better: {BETTER[name]}" if name in BETTER else "same"


def page() -> str:
    """The whole page."""
    importlib.import_module("mainspring.compat.mmengine")
    warnings.simplefilter("ignore")
    lines = [
        "# MMEngine's names",
        "",
        (
            "Every public path and name of MMEngine 0.10.7, and what it is here: the same; better "
            "in what it promises; or deliberately different, and why. Written by "
            "`python scripts/mmengine_page.py`; a test walks all of them under both names. "
            "[Coming from MMEngine](coming-from-mmengine.md) says how to move."
        ),
    ]
    count = {"same": 0, "better": 0, "different": 0, "**missing**": 0}
    sections: list[str] = []
    for path, names in json.loads(INVENTORY.read_text(encoding="utf-8")).items():
        full = f"mmengine.{path}".rstrip(".")
        module = importlib.import_module(full)
        states = {name: state_of(module, name) for name in names.split()}
        for state in states.values():
            count[state.partition(":")[0]] += 1
        same = [f"`{name}`" for name, state in states.items() if state == "same"]
        sections += ["", f"## `{full}`", ""]
        if same:
            sections.append(f"Same: {', '.join(same)}.")
        others = [f"- `{name}`: {state}" for name, state in states.items() if state != "same"]
        if others:
            sections += ([""] if same else []) + others
        if not states:
            sections.append("It holds other modules only.")
    total = ", ".join(f"{number} {state.strip('*')}" for state, number in count.items())
    return "\n".join([*lines, "", f"In all {sum(count.values())} names: {total}.", *sections, ""])


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    text = page()
    if parser.parse_args().check:
        is_same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("up to date" if is_same else f"write {PAGE.name} anew: python {sys.argv[0]}")
        return 0 if is_same else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
