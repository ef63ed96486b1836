"""MMEngine loads the weights of checkpoints that mainspring writes, and computes the same.

    PYTHON_WITH_MMENGINE tests/e2e/mmengine_loads_ours.py FOLDER

FOLDER holds checkpoints `NAME.pth` of the model below, and for each a `NAME.witness` with the
`weights` of the model that was saved, and `inputs` with its `outputs`. Prints for each file how many
weights are equal; exits with 1 if one differs.
"""

import sys
from pathlib import Path

import torch
from mmengine.model import BaseModel
from mmengine.runner import load_checkpoint
from torch import nn


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 1)

    def forward(self, inputs, mode="tensor"):
        return self.head(self.norm(self.body(inputs)))


def main():
    failed = False
    for path in sorted(Path(sys.argv[1]).glob("*.pth")):
        witness = torch.load(path.with_suffix(".witness"), weights_only=True)
        model = Net().eval()
        load_checkpoint(model, str(path), map_location="cpu", strict=True)
        state = model.state_dict()
        equal = sum(torch.equal(state[name], value) for name, value in witness["weights"].items())
        with torch.no_grad():
            same = torch.equal(model(witness["inputs"]), witness["outputs"])
        print(f"{path.name}: {equal} of {len(state)} weights equal, outputs equal: {same}")
        failed |= equal != len(state) or not same
    sys.exit(failed)


main()
