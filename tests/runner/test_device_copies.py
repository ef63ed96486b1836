"""Which models have their training batches sent ahead to the device."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mainspring.dataset.loader.device_prefetch import CudaCopies
from mainspring.model import BaseDataPreprocessor, BaseModel, ImgDataPreprocessor, Supervised
from mainspring.model.adapt import adapt_model
from mainspring.runner.building.device_copies import copies_for


class OwnWay(BaseDataPreprocessor):
    def cast_data(self, data):
        return data


class Model(BaseModel):
    def forward(self, inputs):
        return {"loss": inputs.sum()}


def on_cuda(model):
    """As if the model had been moved there."""
    model.data_preprocessor._device = torch.device("cuda")
    return model


@pytest.mark.parametrize(
    "model",
    [
        Model(),
        Model(ImgDataPreprocessor(mean=[0.0], std=[1.0])),
        Supervised(nn.Linear(2, 1), nn.MSELoss()),
        nn.DataParallel(Model()),
    ],
    ids=["base", "images", "supervised", "wrapped"],
)
def test_models_on_a_gpu(model):
    if not torch.cuda.is_available():  # DataParallel moves its model there at once
        assert copies_for(model) is None
    on_cuda(getattr(model, "module", model))
    assert isinstance(copies_for(model), CudaCopies)


def test_a_model_with_a_way_of_its_own_keeps_it():
    assert copies_for(on_cuda(Model(OwnWay()))) is None


def test_models_without_preprocessor():
    assert copies_for(nn.Linear(2, 1)) is None
    assert copies_for(adapt_model(nn.Linear(2, 1))) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_adapted_models_on_a_gpu():
    assert isinstance(copies_for(adapt_model(nn.Linear(2, 1).cuda())), CudaCopies)
