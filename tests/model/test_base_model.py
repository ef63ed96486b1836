"""The steps of a model."""

import contextlib
import traceback

import pytest
import torch
from torch import nn

from mainspring.model import BaseDataPreprocessor, BaseModel, ImgDataPreprocessor


class Toy(BaseModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.linear = nn.Linear(2, 1)
        self.calls = []

    def forward(self, inputs, data_samples=None, mode="tensor"):
        self.calls.append((mode, self.training))
        outputs = self.linear(inputs)
        if mode == "loss":
            return {"loss": (outputs - data_samples).square().mean()}
        return [outputs] if mode == "predict" else outputs


class Sgd:
    """The part of the optimizer wrapper's contract that models use."""

    def __init__(self, model):
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.inside = None

    @contextlib.contextmanager
    def optim_context(self, model):
        self.inside = model
        yield

    def update_params(self, loss):
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


BATCH = {"inputs": torch.ones(4, 2), "data_samples": torch.zeros(4, 1)}


def test_train_step_equals_plain_torch():
    torch.manual_seed(0)
    model = Toy()
    plain = nn.Linear(2, 1)
    plain.load_state_dict(model.linear.state_dict())
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    wrapper = Sgd(model)
    for _ in range(3):
        log_vars = model.train_step(BATCH, wrapper)
        loss = plain(BATCH["inputs"]).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        assert torch.equal(log_vars["loss"], loss.detach())
    assert torch.equal(model.linear.weight, plain.weight)
    assert wrapper.inside is model


@pytest.mark.parametrize("kind", [list, tuple])
def test_sequences_are_given_by_position(kind):
    model = Toy()
    batch = kind(BATCH.values())
    expected = model(*batch, mode="loss")["loss"].detach()
    assert torch.equal(model.train_step(batch, Sgd(model))["loss"], expected)
    assert model.val_step(batch)[0].shape == (4, 1)
    assert [mode for mode, _ in model.calls][-1] == "predict"


def test_val_and_test_step_predict():
    model = Toy()
    assert torch.equal(model.val_step(BATCH)[0], model.linear(BATCH["inputs"]))
    assert torch.equal(model.test_step(BATCH)[0], model.linear(BATCH["inputs"]))


def test_a_batch_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="should be list, tuple or dict, but got int"):
        Toy().val_step(3)


def test_two_frames_of_ours_stand_before_forward():
    class Spy(Toy):
        def forward(self, inputs, data_samples=None, mode="tensor"):
            stack = [frame.filename for frame in traceback.extract_stack()]
            self.ours = [name for name in stack if "mainspring" in name and "/tests/" not in name]
            return super().forward(inputs, data_samples, mode)

    model = Spy()
    model.train_step(BATCH, Sgd(model))
    assert len(model.ours) == 2
    assert len(set(model.ours)) == 1


def test_the_data_preprocessor_may_be_nothing_a_dict_or_a_module():
    assert type(Toy().data_preprocessor) is BaseDataPreprocessor
    assert type(Toy(data_preprocessor={"non_blocking": True}).data_preprocessor) is (
        BaseDataPreprocessor
    )
    built = Toy(data_preprocessor={"type": "ImgDataPreprocessor", "pad_size_divisor": 8})
    assert isinstance(built.data_preprocessor, ImgDataPreprocessor)
    ready = nn.Identity()
    assert Toy(data_preprocessor=ready).data_preprocessor is ready
    with pytest.raises(TypeError, match=r"should be a `dict` or `nn\.Module` instance, but got 3"):
        Toy(data_preprocessor=3)


def test_forward_must_be_written():
    with pytest.raises(TypeError, match="forward"):
        BaseModel()


@pytest.mark.parametrize(
    "move", [lambda m: m.to("meta"), lambda m: nn.ModuleList([m]).to(device="meta")]
)
def test_moving_a_model_tells_its_preprocessor(move):
    model = Toy()
    move(model)
    assert model.data_preprocessor.device == torch.device("meta")
    assert model.data_preprocessor(BATCH)["inputs"].device.type == "meta"


def test_changing_the_type_leaves_the_device():
    model = Toy().double()
    assert model.data_preprocessor.device == torch.device("cpu")
    assert model.data_preprocessor(BATCH)["inputs"].dtype == torch.float32
