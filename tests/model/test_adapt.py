"""Models whose own forward returns the loss."""

import contextlib
import copy
import pickle
from collections import UserDict
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from mainspring.errors import is_user_mistake
from mainspring.model import BaseModel, Supervised, adapt_model


@dataclass
class Output:
    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None


class Classifier(nn.Module):
    """In the manner of Hugging Face: labels in, loss and logits out."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, input_ids=None, labels=None):
        logits = self.head(self.encoder(input_ids))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return Output(loss, logits)


class DictClassifier(Classifier):
    def forward(self, input_ids=None, labels=None):
        return vars(super().forward(input_ids, labels))


class Pretrained(Classifier):
    @classmethod
    def from_pretrained(cls):
        return cls()

    def init_weights(self):
        raise AssertionError("would overwrite the weights that were loaded")


class Sgd:
    def __init__(self, model):
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    @contextlib.contextmanager
    def optim_context(self, model):
        yield

    def update_params(self, loss):
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


BATCH = {"input_ids": torch.randn(5, 3), "labels": torch.tensor([0, 1, 0, 1, 1])}


@pytest.mark.parametrize("kind", [Classifier, DictClassifier])
@pytest.mark.parametrize("batch", [BATCH, UserDict(BATCH), tuple(BATCH.values())])
def test_it_trains_as_by_hand(kind, batch):
    torch.manual_seed(0)
    model = kind()
    plain = Classifier()
    plain.load_state_dict(model.state_dict())
    model = adapt_model(model)
    wrapper = Sgd(model)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    for _ in range(3):
        log_vars = model.train_step(batch, wrapper)
        loss = plain(**BATCH).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        assert torch.equal(log_vars["loss"], loss.detach())
    assert torch.equal(model.head.weight, plain.head.weight)


@pytest.mark.parametrize("kind", [Classifier, DictClassifier])
def test_it_predicts_a_dict_for_each_sample(kind):
    model = adapt_model(kind())
    results = model.val_step(BATCH)
    assert [list(result) for result in results] == [["prediction", "target"]] * 5
    assert [result["target"].item() for result in results] == BATCH["labels"].tolist()
    assert results[0]["prediction"].shape == (2,)
    without = model.test_step({"input_ids": BATCH["input_ids"]})
    assert [list(result) for result in without] == [["prediction"]] * 5


def test_it_stays_the_same_object_with_the_same_names():
    model = Classifier()
    names = list(model.state_dict())
    adapted = adapt_model(model)
    assert adapted is model
    assert isinstance(adapted, Classifier)
    assert type(adapted).__name__ == "Classifier"
    assert list(adapted.state_dict()) == names
    assert dict(adapted.named_children()).keys() == {"encoder", "head"}
    assert adapted(**BATCH).loss is not None
    assert adapt_model(adapted) is adapted


def test_copies_and_pickles_are_adapted_too():
    model = adapt_model(Classifier())
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(
            twin.val_step(BATCH)[0]["prediction"], model.val_step(BATCH)[0]["prediction"]
        )
        assert twin.head.weight is not model.head.weight


def test_models_with_steps_are_left_alone():
    class Own(BaseModel):
        def forward(self, inputs, data_samples=None, mode="tensor"):
            return inputs

    for model in (Own(), Supervised(nn.Linear(1, 1), nn.L1Loss())):
        kind = type(model)
        assert type(adapt_model(model)) is kind


def test_batches_follow_the_parameters():
    model = adapt_model(Classifier().to("meta"))
    assert model.data_preprocessor(BATCH)["labels"].device.type == "meta"


def test_loaded_weights_are_not_initialised_again():
    net = Pretrained()
    before = copy.deepcopy(net.state_dict())
    model = adapt_model(net)
    model.init_weights()
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    with pytest.raises(AssertionError, match="would overwrite"):
        Pretrained.init_weights(net)


def test_a_model_without_a_loss_is_told_about_supervised():
    model = adapt_model(nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(TypeError, match=r"Supervised\(Sequential\(...\), loss\)") as raised:
        model.train_step((BATCH["input_ids"],), Sgd(model))
    assert is_user_mistake(raised.value)


def test_a_batch_without_labels_is_told_so():
    model = adapt_model(Classifier())
    with pytest.raises(TypeError, match=r"did the batch have labels\? It had \['input_ids'\]"):
        model.train_step({"input_ids": BATCH["input_ids"]}, Sgd(model))


def test_a_step_of_its_own_is_kept():
    class Own(nn.Module):
        def test_step(self, data):
            return ["own", data]

    model = adapt_model(Own())
    assert model.test_step(1) == ["own", 1]
    assert callable(model.train_step)
