"""With ``--format json``, standard output is one document of JSON, whatever the user's code prints."""

from __future__ import annotations

import json

import pytest

from mainspring.cli.main import main

CONFIG = """
custom_imports = dict(imports=["talks_{name}"])
model = dict(type="Talks{name}")
train_dataloader = dict(dataset=dict(type="Items{name}"), batch_size=2, shuffle=True)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(
    optimizer=dict(type="SGD", lr=0.1), clip_grad=dict(max_norm=1.0, norm_type=float("{norm}"))
)
randomness = dict(seed=0)
"""
MODULE = """
import torch
from mainspring.model import BaseModel
from mainspring.registry import DATASETS, MODELS
print("a line of the user's")
@MODELS.register_module()
class Talks{name}(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def forward(self, points, *rest, mode="tensor"):
        return dict(loss=self.layer(points).sum())
@DATASETS.register_module()
class Items{name}(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return (torch.ones(2),)
"""


@pytest.mark.parametrize("verb", ["check", "diff", "eject", "plot", "show"])
def test_what_users_print_stands_beside_the_json(verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"talks_{verb}.py").write_text(MODULE.format(name=verb))
    for file, norm in (("config.py", "inf"), ("other.py", "2")):
        (tmp_path / file).write_text(CONFIG.format(name=verb, norm=norm))
    words = [verb, "config.py", *(["other.py"] if verb == "diff" else []), "--format", "json"]
    try:
        main(words)
    except SystemExit as ended:
        assert verb == "diff", ended  # noqa: PT017 - its code says that there are differences

    def refuse(constant):
        raise AssertionError(constant)

    if verb != "show":  # which writes the config, as it can be read again
        json.loads(capsys.readouterr().out, parse_constant=refuse)
