"""A section of the wrong type is a TypeError, as users of MMEngine catch it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mainspring.runner import Runner

LOADER = dict(dataset=[torch.zeros(1)], batch_size=1, shuffle=True)


@pytest.mark.parametrize(
    "sections",
    [
        dict(model="Linear"),
        dict(randomness=3),
        dict(env_cfg="gloo"),
        dict(train_dataloader=LOADER, train_cfg=6, optim_wrapper=dict(optimizer=dict(type="SGD"))),
        dict(train_dataloader=LOADER, train_cfg=dict(max_epochs=1), optim_wrapper=3),
    ],
    ids=lambda sections: list(sections)[-1],
)
def test_a_section_of_the_wrong_type(tmp_path, sections):
    with pytest.raises(TypeError):
        Runner(**{"model": nn.Linear(1, 1), "work_dir": str(tmp_path), **sections}).train()
