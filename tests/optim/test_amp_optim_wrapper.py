"""Mixed precision on whichever device there is; the CPU computes in bfloat16."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mainspring.logging import MMLogger
from mainspring.optim import AmpOptimWrapper, ApexOptimWrapper
from mainspring.optim.optimizer import amp_optim_wrapper
from mainspring.optim.optimizer.fused_choice import prefer_fused

ON_CUDA = torch.cuda.is_available()
DATA = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
cpu_only = pytest.mark.skipif(ON_CUDA, reason="the wrapper chooses the GPU of this machine")


def linear():
    torch.manual_seed(1)
    return nn.Linear(3, 2)


def wrap(model, **settings):
    return AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1), **settings)


@pytest.fixture
def said(caplog):
    MMLogger.get_instance("amp").addHandler(caplog.handler)
    return lambda: [record.getMessage() for record in caplog.records]


@cpu_only
def test_the_forward_pass_is_in_bfloat16_and_needs_no_scaler(said):
    model = linear()
    wrapper = wrap(model)
    assert wrapper.dtype is wrapper.cast_dtype is torch.bfloat16
    assert not wrapper.loss_scaler.is_enabled()
    with wrapper.optim_context(model):
        output = model(DATA)
    assert output.dtype is torch.bfloat16
    assert model(DATA).dtype is torch.float32
    wrapper.update_params(output.float().square().mean())
    assert (wrapper.micro_steps, wrapper.optimizer_steps, wrapper.skipped_steps) == (1, 1, 0)
    assert said() == []


@cpu_only
@pytest.mark.parametrize("enters", [True, False])
def test_a_precision_that_no_forward_pass_is_in_is_said_once(enters, said):
    model = linear()
    wrapper, other = wrap(model), wrap(linear())
    for _ in range(3):
        with other.optim_context(model) if enters else torch.enable_grad():
            loss = model(DATA).float().square().mean()
        wrapper.update_params(loss)
    words = "torch.bfloat16 has no effect: the loss was computed outside of optim_context"
    assert [text[: len(words)] for text in said()] == ([] if enters else [words])


@cpu_only
def test_training_in_bfloat16_comes_close_to_float32():
    model, reference = linear(), linear()
    wrapper, optimizer = wrap(model), torch.optim.SGD(reference.parameters(), lr=0.1)
    for _ in range(5):
        with wrapper.optim_context(model):
            loss = model(DATA).square().mean()
        wrapper.update_params(loss)
        reference(DATA).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.testing.assert_close(model.weight, reference.weight, rtol=3e-2, atol=3e-3)


@cpu_only
def test_training_in_bfloat16_is_that_of_plain_torch_to_the_last_bit():
    model, reference = linear(), linear()
    wrapper = AmpOptimWrapper(optimizer=torch.optim.AdamW(model.parameters(), lr=0.1), clip_grad=1)
    optimizer = torch.optim.AdamW(reference.parameters(), lr=0.1)
    for _ in range(5):
        with wrapper.optim_context(model):
            loss = model(DATA).square().mean()
        wrapper.update_params(loss)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = reference(DATA).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(reference.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    assert torch.equal(model.weight, reference.weight)
    assert torch.equal(model.bias, reference.bias)


@cpu_only
def test_a_step_whose_gradients_are_no_numbers_is_left_out_where_asked():
    model = linear()
    before = model.weight.detach().clone()
    wrapper = wrap(model)
    wrapper.skips_non_finite = True
    wrapper.update_params(model(DATA).sum() * float("inf"))
    assert torch.equal(model.weight, before)
    wrapper.update_params(model(DATA).sum())
    assert not torch.equal(model.weight, before)
    assert model.weight.isfinite().all()


@pytest.mark.parametrize("scales", [False, True])
def test_adam_steps_in_one_kernel_where_no_scaler_decides_about_the_step(scales):
    optimizer = torch.optim.AdamW(linear().parameters())
    wrapper = AmpOptimWrapper(optimizer=optimizer, dtype="bfloat16")
    wrapper.loss_scaler = torch.amp.GradScaler("cpu", enabled=scales)
    prefer_fused(wrapper)
    assert bool(optimizer.param_groups[0]["fused"]) is not scales


@cpu_only
def test_autocast_and_no_sync_together():
    class Wrapped(nn.Linear):
        silent = False

        def no_sync(self):
            self.silent = True
            return torch.enable_grad()

    model = Wrapped(3, 2)
    wrapper = wrap(model, accumulative_counts=2)
    with wrapper.optim_context(model):
        assert model(DATA).dtype is torch.bfloat16
    assert model.silent


@cpu_only
def test_float16_is_refused_on_the_cpu():
    with pytest.raises(ValueError, match="the CPU trains in bfloat16"):
        wrap(linear(), dtype="float16")


@pytest.mark.parametrize("dtype", ["float32", torch.float64])
def test_full_precision_leaves_things_as_they_are(dtype):
    model = linear()
    wrapper = wrap(model, dtype=dtype)
    with wrapper.optim_context(model):
        assert model(DATA).dtype is torch.float32


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"dtype": "bflaot16"}, "did you mean 'bfloat16'"),
        ({"dtype": 16}, "dtype is 16"),
        ({"loss_scale": "static"}, "loss_scale is 'static'"),
    ],
)
def test_arguments_that_make_no_sense(settings, wrong):
    with pytest.raises(ValueError, match=wrong):
        wrap(linear(), **settings)


def test_a_loss_scale_that_has_no_effect_is_mentioned_once(said):
    wrapper = wrap(linear(), dtype="bfloat16", loss_scale=512.0)
    with wrapper.optim_context(linear()):
        loss = wrapper.optimizer.param_groups[0]["params"][0].sum()
    wrapper.update_params(loss)
    assert said() == ["loss_scale=512.0 has no effect: torch.bfloat16 needs no scaling"]
    assert not wrapper.loss_scaler.is_enabled()


@pytest.fixture
def scaling(monkeypatch):
    """Let the CPU pass for a device that computes in float16; its scaler works here, too."""
    kept = amp_optim_wrapper._cast_type

    def allowed(dtype, device):
        return torch.float16 if dtype == "float16" else kept(dtype, device)

    monkeypatch.setattr(amp_optim_wrapper, "_cast_type", allowed)
    monkeypatch.setattr(amp_optim_wrapper, "get_device", lambda: "cpu")
    return lambda model, **settings: wrap(model, dtype="float16", **settings)


@pytest.mark.parametrize(
    ("loss_scale", "scale"),
    [("dynamic", 65536.0), (512.0, 512.0), ({"init_scale": 8.0, "growth_interval": 5}, 8.0)],
)
def test_ways_to_give_the_loss_scale(scaling, loss_scale, scale):
    wrapper = scaling(linear(), loss_scale=loss_scale)
    assert wrapper.loss_scaler.is_enabled()
    assert wrapper.loss_scaler.get_scale() == scale


@pytest.mark.parametrize("clip_grad", [None, 0.1])
def test_scaling_does_not_change_the_step(scaling, clip_grad):
    model, reference = linear(), linear()
    wrapper = scaling(model, clip_grad=clip_grad)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1)
    for _ in range(3):
        wrapper.update_params(model(DATA).square().mean())
        reference(DATA).square().mean().backward()
        if clip_grad:
            nn.utils.clip_grad_norm_(reference.parameters(), clip_grad)
        optimizer.step()
        optimizer.zero_grad()
    torch.testing.assert_close(model.weight, reference.weight)


def test_an_overflow_skips_the_step_and_says_so(scaling, said):
    model = linear()
    wrapper = scaling(model)
    with wrapper.optim_context(model):
        pass  # the precision of the forward pass is no matter here
    before = model.weight.detach().clone()
    wrapper.update_params(model(DATA).mean() * float("inf"))
    assert torch.equal(model.weight, before)
    assert wrapper.skipped_steps == 1
    assert said() == ["a gradient overflowed: this optimizer step is skipped"]
    assert wrapper.loss_scaler.get_scale() == 32768.0
    wrapper.update_params(model(DATA).mean())
    assert not torch.equal(model.weight, before)
    assert wrapper.skipped_steps == 1


def test_a_fixed_scale_stays(scaling):
    model = linear()
    wrapper = scaling(model, loss_scale=512.0)
    wrapper.update_params(model(DATA).mean() * float("inf"))
    assert wrapper.loss_scaler.get_scale() == 512.0


def test_the_state_holds_the_scaler(scaling):
    model = linear()
    wrapper = scaling(model)
    wrapper.update_params(model(DATA).mean() * float("inf"))
    state = wrapper.state_dict()
    assert state["loss_scaler"]["scale"] == 32768.0
    again = scaling(model)
    again.load_state_dict(state)
    assert again.loss_scaler.get_scale() == 32768.0
    assert "loss_scaler" in state


def test_states_of_other_precisions_load(scaling):
    """Of bfloat16 without a scaler, of MMEngine's bfloat16 with one, of no mixed precision."""
    half, brain = scaling(linear()), wrap(linear(), dtype="bfloat16")
    half.load_state_dict(brain.state_dict())
    assert half.loss_scaler.get_scale() == 65536.0
    brain.load_state_dict(half.state_dict())
    half.load_state_dict(torch.optim.SGD(linear().parameters(), lr=0.1).state_dict())


def test_the_scaler_for_sharded_gradients():
    from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler

    assert isinstance(
        wrap(linear(), dtype="bfloat16", use_fsdp=True).loss_scaler, ShardedGradScaler
    )


def test_apex_says_what_is_missing():
    with pytest.raises(ImportError, match=r"needs NVIDIA's apex.*AmpOptimWrapper"):
        ApexOptimWrapper(optimizer=torch.optim.SGD(linear().parameters(), lr=0.1))


@pytest.mark.skipif(not ON_CUDA, reason="needs a GPU")
@pytest.mark.parametrize("dtype", [None, "float16", "bfloat16"])
def test_on_a_gpu(dtype):
    model = linear().cuda()
    wrapper = wrap(model, dtype=dtype, clip_grad=1.0)
    before = model.weight.detach().clone()
    for _ in range(3):
        with wrapper.optim_context(model):
            output = model(DATA.cuda())
        assert output.dtype is (torch.bfloat16 if dtype == "bfloat16" else torch.float16)
        wrapper.update_params(output.float().square().mean())
    assert not torch.equal(model.weight, before)
