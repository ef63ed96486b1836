"""The hub keeps scalars by reference while they are on a device, and gives back what it was given."""

import io
from enum import Enum

import numpy as np
import pytest
import torch

from mainspring.logging import HistoryBuffer, MessageHub


class OnDevice(torch.Tensor):
    """A tensor that looks as if it was on an accelerator."""

    is_cpu = False


def on_device(value, dtype=torch.float32):
    return torch.tensor(value, dtype=dtype).as_subclass(OnDevice)


@pytest.fixture
def hub():
    return MessageHub.get_instance("run")


def history(hub, key):
    return hub.get_scalar(key).data[0].tolist()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2, 2),
        (0.1, 0.1),
        (True, 1),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.array([3]), 3),
        (np.int64(7), 7),
        (torch.tensor(0.1), torch.tensor(0.1).item()),
        (torch.tensor([[0.1]], dtype=torch.float64), 0.1),
        (torch.tensor(1.5, dtype=torch.bfloat16, requires_grad=True), 1.5),
        (torch.tensor(5), 5),
        (torch.tensor(float("nan")), float("nan")),
        (torch.tensor(float("inf")), float("inf")),
    ],
)
def test_a_scalar_is_kept_as_the_number_that_item_gives(hub, value, number):
    hub.update_scalar("train/x", value)
    hub.record("other", {"x": value})
    for key in ("train/x", "other/x"):
        kept = history(hub, key)[0]
        assert kept == number or (kept != kept and number != number)
        assert type(kept) is (int if isinstance(number, int) else float)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("1", TypeError),
        (None, TypeError),
        ([1], TypeError),
        (1j, TypeError),
        (torch.ones(2), ValueError),
        (torch.ones(0), ValueError),
        (np.ones(3), ValueError),
    ],
)
def test_what_is_no_scalar_is_refused_at_once(hub, value, error):
    for call in (
        lambda: hub.update_scalar("train/x", value),
        lambda: hub.record("train", {"x": value}),
        lambda: hub.update_scalars({"train/x": {"value": value}}),
    ):
        with pytest.raises(error, match="train/x"):
            call()
        with pytest.raises(AssertionError):
            call()


def test_counts_are_whole_numbers(hub):
    with pytest.raises(TypeError, match="the count of a"):
        hub.update_scalar("a", 1.0, count=1.5)
    hub.update_scalars({"a": dict(value=6.0, count=torch.tensor(3)), "b": 2})
    assert hub.get_scalar("a").mean() == 2
    with pytest.raises(ValueError, match="has no 'value'"):
        hub.update_scalars({"a": dict(count=1)})
    with pytest.raises(TypeError, match="log_dict"):
        hub.update_scalars([("a", 1)])


def test_values_on_a_device_are_read_together_and_in_order(hub, monkeypatch):
    stacked = []
    real_stack = torch.stack

    def stack(tensors, *args):
        stacked.append(len(tensors))
        return real_stack([tensor.as_subclass(torch.Tensor) for tensor in tensors], *args)

    monkeypatch.setattr(torch, "stack", stack)
    for step in range(50):
        hub.record("train", {"lr": 0.5, "loss": on_device(float(step)), "n": on_device([step])})
        hub.update_scalar("train/grad_norm", on_device(step, torch.float64), count=2)
    hub.update_scalar("train/loss", 99.0)
    assert stacked == []
    assert history(hub, "train/loss") == [*map(float, range(50)), 99.0]
    assert history(hub, "train/lr") == [0.5] * 50
    assert sorted(stacked) == [50, 100]
    assert hub.get_scalar("train/grad_norm").data[1].tolist() == [2] * 50
    assert sorted(stacked) == [50, 100]


def test_waiting_values_are_bounded(hub):
    for step in range(9000):
        hub.record("train", {"loss": on_device(float(step))})
    assert len(hub._window.waiting) < 8192
    assert len(history(hub, "train/loss")) == 9000


def test_a_value_that_is_written_to_in_place_is_kept_as_it_was(hub):
    for make in (torch.tensor, on_device):
        running = make(0.0)
        running += 1
        hub.update_scalar("train/running", running)
        running += 1
        hub.record("train", {"running": running})
        running += 1
    assert history(hub, "train/running") == [1.0, 2.0, 1.0, 2.0]


def test_a_waiting_value_does_not_keep_its_graph(hub):
    leaf = on_device(2.0).requires_grad_()
    hub.record("train", {"loss": leaf * 3})
    assert hub._window.waiting[0][1].grad_fn is None
    assert history(hub, "train/loss") == [6.0]


def test_information_is_given_back_itself(hub):
    value = {"a": [1]}
    hub.update_info("x", value)
    hub.update_info_dict({"y": 2, "z": None})
    assert hub.get_info("x") is value
    assert hub.get_info("z", 5) is None
    assert hub.get_info("nothing", 5) == 5
    assert hub.pop_info("y") == 2
    assert hub.pop_info("y", 7) == 7
    with pytest.raises(TypeError, match="info_dict"):
        hub.update_info_dict([1])


def test_a_name_keeps_to_one_choice_of_resumed(hub):
    hub.update_scalar("a", 1, resumed=False)
    with pytest.raises(AssertionError, match="resumed=False before"):
        hub.update_scalar("a", 1)
    with pytest.raises(ValueError, match="keep to one of the two"):
        hub.update_info("a", 1)


def test_an_unknown_scalar_is_reported_with_the_known_ones(hub):
    hub.update_scalar("train/loss", 1)
    with pytest.raises(KeyError, match=r"recorded are: train/loss(?s:.*)did you mean"):
        hub.get_scalar("train/los")


def test_the_current_hub_exists_without_being_made():
    assert MessageHub.get_current_instance().instance_name == "mainspring"
    made = MessageHub.get_instance("later")
    assert MessageHub.get_current_instance() is made


def test_constructor_checks():
    buffer = HistoryBuffer([1.0], [1])
    hub = MessageHub("a", {"x": buffer}, {"y": 1}, {"x": True, "y": False})
    assert hub.get_scalar("x") is buffer
    with pytest.raises(TypeError, match="log_scalars"):
        MessageHub("a", [1])
    with pytest.raises(AssertionError, match="not a HistoryBuffer"):
        MessageHub("a", {"x": 1})
    with pytest.raises(AssertionError, match="resumed_keys has 'z'"):
        MessageHub("a", {}, {}, {"z": True})


class Color(str, Enum):
    RED = "red"


def test_a_state_is_loadable_without_trusting_it(hub):
    for step in range(5):
        hub.record("train", {"loss": on_device(step / 3), "lr": 0.1, "n": step})
    hub.update_scalar("train/weighted", 3.0, count=3)
    hub.update_scalar("train/secret", 1.0, resumed=False)
    hub.update_info("cfg", "a = 1\n")
    hub.update_info("best", np.float64(0.5))
    hub.update_info("meta", {"classes": ("cat", "dog"), "palette": np.array([[1, 2]]), 3: {1}})
    hub.update_info("color", Color.RED)
    hub.update_info("text", np.str_("x"))
    hub.update_info("tensor", torch.ones(2))
    hub.update_info("object", object())
    hub.update_info("hidden", 1, resumed=False)
    stream = io.BytesIO()
    torch.save(hub.state_dict(), stream)
    stream.seek(0)
    state = torch.load(stream, weights_only=True)
    assert "counts" not in state["log_scalars"]["train/loss"]
    assert state["log_scalars"]["train/loss"]["values"].dtype == torch.float64

    other = MessageHub.get_instance("resumed")
    other.update_scalar("train/loss", 77.0)
    other.update_info("mine", 1)
    other.load_state_dict(state)
    for name in ("loss", "lr", "n", "weighted"):
        assert history(other, f"train/{name}") == history(hub, f"train/{name}")
    assert other.get_scalar("train/weighted").mean() == 1
    assert "train/secret" not in other.log_scalars
    info = dict(other.runtime_info)
    assert torch.equal(info.pop("tensor"), torch.ones(2))
    assert info == {
        "cfg": "a = 1\n",
        "best": 0.5,
        "meta": {"classes": ("cat", "dog"), "palette": [[1, 2]], 3: [1]},
        "color": "red",
        "text": "x",
        "mine": 1,
    }
    other.update_scalar("train/loss", 1.0)
    assert len(history(hub, "train/loss")) == 5


def test_a_state_of_mmengine_is_understood(hub):
    histories = {"train/loss": HistoryBuffer([1.0, 2.0], [1, 1]), "old": 3}
    hub.load_state_dict(
        {
            "log_scalars": histories,
            "runtime_info": {"epoch": 3},
            "resumed_keys": {"train/loss": True, "epoch": True, "gone": True},
        }
    )
    assert history(hub, "train/loss") == [1.0, 2.0]
    assert hub.get_scalar("train/loss") is not histories["train/loss"]
    assert "old" not in hub.log_scalars
    assert hub.get_info("epoch") == 3
    assert "gone" not in hub.state_dict()["resumed_keys"]
    with pytest.raises(TypeError, match="state of a message hub"):
        hub.load_state_dict([1])


def test_another_hub_is_copied_with_all_it_has(hub):
    hub.update_scalar("a", 1.0, resumed=False)
    hub.update_info("b", [1])
    other = MessageHub("copy")
    other.update_info("gone", 1)
    other.load_state_dict(hub)
    assert history(other, "a") == [1.0]
    assert dict(other.runtime_info) == {"b": [1]}
    assert other.get_info("b") is not hub.get_info("b")


def test_information_that_cannot_be_copied_is_shared(hub):
    class Uncopied:
        def __deepcopy__(self, memo):
            raise NotImplementedError

    handle, listed = Uncopied(), [1]
    hub.load_state_dict({"runtime_info": {"handle": handle, "list": listed}})
    assert hub.get_info("handle") is handle
    assert hub.get_info("list") == listed
    assert hub.get_info("list") is not listed
