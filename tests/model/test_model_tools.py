"""Stacking, merging, batch norm over processes, unused parameters, fused evaluation, TTA."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mainspring.errors import ConfigError
from mainspring.model import (
    BaseModel,
    BaseTTAModel,
    anomalous_params,
    convert_sync_batchnorm,
    detect_anomalous_params,
    merge_dict,
    revert_sync_batchnorm,
    stack_batch,
    turn_on_activation_checkpointing,
    turn_on_efficient_conv_bn_eval,
)


class TestStackBatch:
    @settings(deadline=None, max_examples=40)
    @given(
        shapes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
        divisor=st.integers(1, 5),
    )
    def test_every_image_lies_in_the_upper_left_corner(self, shapes, divisor):
        images = [torch.rand(2, *shape) for shape in shapes]
        batch = stack_batch(images, divisor, -1)
        height, width = batch.shape[-2:]
        assert height % divisor == width % divisor == 0
        assert 0 <= height - max(h for h, _ in shapes) < divisor
        assert 0 <= width - max(w for _, w in shapes) < divisor
        for row, image in zip(batch, images, strict=True):
            h, w = image.shape[1:]
            assert torch.equal(row[:, :h, :w], image)
            assert (row.sum() - image.sum()).item() == pytest.approx(
                -2 * (height * width - h * w), abs=1e-3
            )

    def test_volumes_too(self):
        batch = stack_batch([torch.ones(1, 2, 3, 4), torch.ones(1, 3, 3, 5)], 4)
        assert batch.shape == (2, 1, 4, 4, 8)

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ([], "empty"),
            (torch.ones(2), "to be list"),
            ([torch.ones(1, 2), torch.ones(1, 2, 3)], "must be the same"),
        ],
    )
    def test_wrong_input(self, value, message):
        with pytest.raises(AssertionError, match=message):
            stack_batch(value)


def test_merge_dict():
    assert merge_dict({"a": 1, "b": 1}, {"b": 2}) == {"a": 1, "b": 2}
    assert merge_dict() == {}
    with pytest.raises(AssertionError, match="should be a dict"):
        merge_dict({}, 3)


class TestSyncBatchNorm:
    def test_there_and_back(self):
        model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.Sequential(nn.BatchNorm2d(3)))
        model(torch.randn(2, 1, 4, 4))
        model.eval()
        state = copy.deepcopy(model.state_dict())
        inputs = torch.randn(2, 1, 4, 4)
        expected = model(inputs)
        converted = convert_sync_batchnorm(model)
        assert isinstance(converted[1][0], nn.SyncBatchNorm)
        reverted = revert_sync_batchnorm(converted)
        assert reverted is converted
        assert not isinstance(reverted[1][0], nn.SyncBatchNorm)
        assert torch.equal(reverted(inputs), expected)
        assert not reverted[1][0].training
        assert list(reverted.state_dict()) == list(state)

    def test_the_norm_itself(self):
        norm = revert_sync_batchnorm(nn.SyncBatchNorm(3, affine=False))
        assert norm(torch.randn(4, 3)).shape == (4, 3)
        assert norm(torch.randn(4, 3, 2, 2, 2)).shape == (4, 3, 2, 2, 2)

    def test_wrong_implementation(self):
        with pytest.raises(ValueError, match='"torch" or "mmcv", but got'):
            convert_sync_batchnorm(nn.Sequential(), "apex")


def test_parameters_outside_the_graph_are_named(monkeypatch):
    messages = []
    monkeypatch.setattr(anomalous_params, "print_log", lambda text, **_: messages.append(text))
    model = nn.ModuleDict({"used": nn.Linear(1, 1), "unused": nn.Linear(1, 2, bias=False)})
    detect_anomalous_params(model["used"](torch.ones(1)).sum(), model)
    assert messages == [
        "unused.weight with shape torch.Size([2, 1]) is not in the computational graph"
    ]


class TestEfficientEvaluation:
    def build(self, bias=True):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(2, 3, 3, bias=bias, padding=1), nn.BatchNorm2d(3), nn.ReLU()
        )
        model(torch.randn(4, 2, 5, 5))
        return nn.Sequential(model, nn.Conv2d(3, 1, 1))

    @pytest.mark.parametrize("bias", [True, False])
    def test_evaluation_and_gradients_agree(self, bias):
        plain = self.build(bias).double().eval()
        fused = copy.deepcopy(plain)
        turn_on_efficient_conv_bn_eval(fused, ["0"])
        inputs = torch.randn(2, 2, 5, 5, dtype=torch.float64)
        torch.testing.assert_close(fused(inputs), plain(inputs))
        plain(inputs).sum().backward()
        fused(inputs).sum().backward()
        for a, b in zip(plain.parameters(), fused.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad)
        assert list(fused.state_dict()) == list(plain.state_dict())

    def test_training_runs_the_layers(self):
        plain = self.build()
        fused = copy.deepcopy(plain)
        turn_on_efficient_conv_bn_eval(fused, "0")
        inputs = torch.randn(2, 2, 5, 5)
        assert torch.equal(fused(inputs), plain(inputs))
        assert torch.equal(fused[0][1].running_mean, plain[0][1].running_mean)

    def test_unknown_module(self):
        with pytest.raises(ConfigError, match="no module 'zero'"):
            turn_on_efficient_conv_bn_eval(self.build(), "zero")


class TestActivationCheckpointing:
    def test_results_agree_and_the_module_runs_twice(self):
        model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Tanh()))
        inputs = torch.randn(3, 2)
        model(inputs).sum().backward()
        expected = [parameter.grad.clone() for parameter in model.parameters()]
        model.zero_grad()
        runs = []
        model[1][0].register_forward_hook(lambda *_: runs.append(1))
        turn_on_activation_checkpointing(model, ["1"])
        model(inputs).sum().backward()
        assert len(runs) == 2
        for parameter, gradient in zip(model.parameters(), expected, strict=True):
            assert torch.equal(parameter.grad, gradient)

    def test_unknown_module(self):
        with pytest.raises(AttributeError, match=r"no module '1.7'"):
            turn_on_activation_checkpointing(nn.Sequential(nn.ReLU()), ["1.7"])


class TestTestTimeAugmentation:
    class Model(BaseModel):
        def forward(self, inputs, data_samples=None, mode="tensor"):
            return [value.item() for value in inputs]

    class Mean(BaseTTAModel):
        def merge_preds(self, data_samples_list):
            return [sum(versions) / len(versions) for versions in data_samples_list]

    @pytest.mark.parametrize("kind", [dict, list, tuple])
    def test_versions_are_merged_by_sample(self, kind):
        versions = [torch.tensor([1.0, 10.0]), torch.tensor([3.0, 30.0])]
        data = {"inputs": versions} if kind is dict else kind([versions])
        assert self.Mean(self.Model()).test_step(data) == [2.0, 20.0]

    def test_wrong_data_and_module(self):
        with pytest.raises(TypeError, match="should be a dict, tuple or a list, but got int"):
            self.Mean(self.Model()).test_step(3)
        with pytest.raises(TypeError, match="or a dict, but got 3"):
            self.Mean(3)
        with pytest.raises(NotImplementedError):
            self.Mean(self.Model())(torch.ones(1))
