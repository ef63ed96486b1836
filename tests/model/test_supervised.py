"""A plain network and a loss function as a model."""

import contextlib

import pytest
import torch
from torch import nn

from mainspring.errors import ConfigError, DataError
from mainspring.model import BaseModel, Supervised
from mainspring.structures import NormalizedLoss


class Recorder:
    @contextlib.contextmanager
    def optim_context(self, model):
        yield

    def update_params(self, loss):
        self.loss = loss
        loss.backward()


INPUTS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 1, 0])


def model(**kwargs):
    return Supervised(nn.Linear(3, 2), nn.CrossEntropyLoss(), **kwargs)


def accuracy(outputs, targets):
    return (outputs.argmax(1) == targets).float().mean()


@pytest.mark.parametrize(
    "batch",
    [
        (INPUTS, TARGETS),
        [INPUTS, TARGETS],
        {"inputs": INPUTS, "targets": TARGETS},
        {"inputs": INPUTS, "targets": TARGETS, "index": [1, 2, 3, 4]},
        [list(INPUTS), TARGETS.tolist()],
        [tuple(INPUTS), list(TARGETS)],
    ],
)
def test_training_on_every_form_of_batch(batch):
    supervised = model(metrics={"accuracy": accuracy})
    recorder = Recorder()
    log_vars = supervised.train_step(batch, recorder)
    outputs = supervised.net(INPUTS)
    assert torch.equal(log_vars["loss"], nn.functional.cross_entropy(outputs, TARGETS).detach())
    assert log_vars["accuracy"].item() == accuracy(outputs, TARGETS).item()
    assert torch.equal(recorder.loss.detach(), log_vars["loss"])
    assert supervised.net.weight.grad is not None


def test_predictions_are_a_dict_for_each_sample():
    supervised = model()
    results = supervised.val_step((INPUTS, TARGETS))
    assert [list(result) for result in results] == [["prediction", "target"]] * 4
    outputs = supervised.net(INPUTS)
    for index, result in enumerate(results):
        assert torch.equal(result["prediction"], outputs[index])
        assert result["target"] == TARGETS[index]


def test_predictions_without_targets():
    results = model().test_step({"inputs": INPUTS})
    assert [list(result) for result in results] == [["prediction"]] * 4


def test_structured_outputs_are_split():
    class Two(nn.Module):
        def forward(self, inputs):
            return {"a": inputs * 2, "b": (inputs.sum(1), inputs)}

    results = Supervised(Two(), lambda outputs, targets: outputs["a"].sum()).val_step(
        (INPUTS, TARGETS)
    )
    assert torch.equal(results[1]["prediction"]["a"], INPUTS[1] * 2)
    assert torch.equal(results[1]["prediction"]["b"][0], INPUTS[1].sum())


def test_tensor_mode_is_the_raw_output():
    supervised = model()
    assert torch.equal(supervised(INPUTS), supervised.net(INPUTS))
    with pytest.raises(ValueError, match="mode must be"):
        supervised(INPUTS, TARGETS, mode="train")


def test_losses_may_come_by_name_or_with_a_count():
    def both(outputs, targets):
        return {"loss_a": outputs.sum(), "loss_b": outputs.mean()}

    losses = Supervised(nn.Linear(3, 2), both)(INPUTS, TARGETS, mode="loss")
    assert list(losses) == ["loss_a", "loss_b"]

    def counted(outputs, targets):
        return NormalizedLoss(outputs.mean(), len(targets))

    supervised = Supervised(nn.Linear(3, 2), counted)
    total, _ = supervised.parse_losses(supervised(INPUTS, TARGETS, mode="loss"))
    assert isinstance(total, NormalizedLoss)
    assert total.count == 4


def test_parts_may_be_described():
    supervised = Supervised(
        {"type": "torch.nn.Linear", "in_features": 3, "out_features": 2},
        {"type": "torch.nn.CrossEntropyLoss"},
    )
    assert isinstance(supervised.net, nn.Linear)
    assert isinstance(supervised.loss, nn.CrossEntropyLoss)


class Own(BaseModel):
    def forward(self, inputs, data_samples=None, mode="tensor"):
        return inputs


@pytest.mark.parametrize(
    ("net", "loss", "metrics", "message"),
    [
        (nn.Linear, nn.L1Loss(), None, "must be a torch.nn.Module"),
        (Own(), nn.L1Loss(), None, "computes its own losses"),
        (nn.Linear(1, 1), nn.L1Loss, None, "give an instance"),
        (nn.Linear(1, 1), 3, None, "must be a function"),
        (nn.Linear(1, 1), nn.L1Loss(), {"l1_loss": accuracy}, "would be added to the loss"),
    ],
)
def test_wrong_parts(net, loss, metrics, message):
    with pytest.raises(ConfigError, match=message):
        Supervised(net, loss, metrics=metrics)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ((INPUTS, TARGETS, TARGETS), "a tuple of 3"),
        ({"image": INPUTS, "label": TARGETS}, r"a dict with the keys \['image', 'label'\]"),
        (INPUTS, "a Tensor"),
        ({"inputs": INPUTS}, "without targets"),
    ],
)
def test_wrong_batches(batch, message):
    with pytest.raises(DataError, match=message):
        model().train_step(batch, Recorder())
