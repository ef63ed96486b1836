"""A loss that declares its count weighs every target alike: in groups, over ranks, under AMP."""

from __future__ import annotations

import io
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from mainspring.optim import AmpOptimWrapper, OptimWrapper
from mainspring.structures import NormalizedLoss
from prepared_processes import run_ranks

IGNORED = -100


def tokens(counts, width=6, seed=0):
    """Sequences of a fixed width, in which only some tokens are targets."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(len(counts), width, 3, generator=generator)
    targets = torch.randint(0, 4, (len(counts), width), generator=generator)
    for row, count in zip(targets, counts, strict=True):
        row[count:] = IGNORED
    return inputs, targets


def model_and_wrapper(kind=OptimWrapper, **arguments):
    torch.manual_seed(3)
    model = nn.Linear(3, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    return model, kind(optimizer=optimizer, **arguments)


def declared(model, inputs, targets):
    value = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
    return NormalizedLoss(value, (targets != IGNORED).sum())


def train(model, wrapper, batches):
    for inputs, targets in batches:
        with wrapper.optim_context(model):
            loss = declared(model, inputs, targets)
        wrapper.update_params(loss)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def split(inputs, targets, size):
    return list(zip(inputs.split(size), targets.split(size), strict=True))


def large_batch(inputs, targets, **arguments):
    model, wrapper = model_and_wrapper(**arguments)
    return train(model, wrapper, [(inputs, targets)])


@pytest.mark.parametrize("clip_grad", [None, 0.05])
def test_4_by_2_accumulated_equals_1_by_8(clip_grad):
    inputs, targets = tokens([1, 6, 2, 0, 5, 1, 6, 3])
    expected = large_batch(inputs, targets, clip_grad=clip_grad)
    model, wrapper = model_and_wrapper(accumulative_counts=4, clip_grad=clip_grad)
    made = train(model, wrapper, split(inputs, targets, 2))
    torch.testing.assert_close(made, expected, rtol=1e-6, atol=1e-7)
    assert wrapper.optimizer_steps == 1

    plain_model, plain = model_and_wrapper(accumulative_counts=4, clip_grad=clip_grad)
    for part in split(inputs, targets, 2):
        plain.update_params(declared(plain_model, *part).value)
    plain_weights = torch.cat([p.detach().flatten() for p in plain_model.parameters()])
    assert not torch.allclose(plain_weights, expected, rtol=1e-3), "counts make a difference here"


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=7))
def test_any_counts_and_an_incomplete_last_group(counts):
    inputs, targets = tokens(counts)
    model, wrapper = model_and_wrapper(accumulative_counts=3)
    wrapper.initialize_count_status(model, 0, len(counts))
    made = train(model, wrapper, split(inputs, targets, 1))
    reference, plain = model_and_wrapper()
    expected = train(reference, plain, split(inputs, targets, 3))
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-6)


def test_without_accumulation_the_declared_mean_is_what_is_minimised():
    inputs, targets = tokens([2, 5])
    model, wrapper = model_and_wrapper()
    train(model, wrapper, [(inputs, targets)])
    reference, plain = model_and_wrapper()
    plain.update_params(declared(reference, inputs, targets).value)
    torch.testing.assert_close(model.weight, reference.weight)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_counts_may_be_fractions_or_huge(scale):
    inputs, targets = tokens([1, 6, 2, 4])
    expected = large_batch(inputs, targets)
    model, wrapper = model_and_wrapper(accumulative_counts=2)
    for part in split(inputs, targets, 2):
        loss = declared(model, *part)
        wrapper.update_params(NormalizedLoss(loss.value, float(loss.count) * scale))
    made = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-6)


def test_a_group_without_any_target_changes_nothing():
    inputs, targets = tokens([0, 0])
    model, wrapper = model_and_wrapper(accumulative_counts=2)
    before = model.weight.detach().clone()
    train(model, wrapper, split(inputs, targets, 1))
    assert torch.equal(model.weight, before)


def test_losses_with_and_without_count_do_not_mix_in_a_group():
    inputs, targets = tokens([2, 3])
    for first, second in ((True, False), (False, True)):
        model, wrapper = model_and_wrapper(accumulative_counts=3)
        loss = declared(model, inputs, targets)
        wrapper.update_params(loss if first else loss.value)
        loss = declared(model, inputs, targets)
        with pytest.raises(ValueError, match="cannot be weighed"):
            wrapper.update_params(loss if second else loss.value)


def test_interrupted_inside_a_group_it_continues_exactly():
    inputs, targets = tokens([1, 6, 2, 4, 5, 1, 6, 3])
    batches = split(inputs, targets, 1)
    model, wrapper = model_and_wrapper(accumulative_counts=4)
    expected = train(model, wrapper, batches)

    first, before = model_and_wrapper(accumulative_counts=4)
    train(first, before, batches[:6])
    file = io.BytesIO()
    torch.save([first.state_dict(), before.state_dict(), before.accumulation_state_dict()], file)
    file.seek(0)
    model_state, state, accumulated = torch.load(file, weights_only=True)
    second, after = model_and_wrapper(accumulative_counts=4)
    second.load_state_dict(model_state)
    after.load_state_dict(state)
    after.initialize_count_status(second, 6, 8)
    after.load_accumulation_state_dict(accumulated)
    assert torch.equal(train(second, after, batches[6:]), expected)


def test_under_autocast():
    inputs, targets = tokens([1, 6, 2, 0, 5, 1, 6, 3])
    expected = large_batch(inputs, targets, kind=AmpOptimWrapper, clip_grad=0.05)
    model, wrapper = model_and_wrapper(AmpOptimWrapper, accumulative_counts=4, clip_grad=0.05)
    made = train(model, wrapper, split(inputs, targets, 2))
    torch.testing.assert_close(made, expected, rtol=2e-2, atol=2e-3)


def test_with_a_scaled_loss():
    """The scaler works on any device; its arithmetic is that of float16 training."""
    inputs, targets = tokens([1, 6, 2, 0, 5, 1, 6, 3])
    expected = large_batch(inputs, targets, clip_grad=0.05)
    model, wrapper = model_and_wrapper(
        AmpOptimWrapper, accumulative_counts=4, clip_grad=0.05, dtype="float32"
    )
    wrapper.loss_scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    made = train(model, wrapper, split(inputs, targets, 2))
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-6)


RANK_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
from torch.nn.parallel import DistributedDataParallel
from mainspring.dist import get_rank, init_dist
from test_normalized_loss import declared, model_and_wrapper, split, tokens

init_dist("pytorch", backend="gloo")
inputs, targets = tokens([1, 6, 2, 1, 5, 1, 6, 3, 6, 6, 1, 1])
# Each group of two micro-batches of three sequences: the ranks take turns.
batches = split(inputs, targets, 3)[get_rank()::2]
# Clipping would hide a constant factor, so there is a run without it.
for use_context, clip_grad in ((True, None), (False, None), (True, 0.05)):
    model, wrapper = model_and_wrapper(accumulative_counts=2, clip_grad=clip_grad)
    parallel = DistributedDataParallel(model)
    for batch in batches:
        with wrapper.optim_context(parallel if use_context else model):
            loss = declared(parallel, *batch)
        wrapper.update_params(loss)
    reference, plain = model_and_wrapper(clip_grad=clip_grad)
    plain._normalizer.weigh = lambda loss, parameters, last: loss.value
    plain.update_params(declared(reference, inputs, targets))
    torch.testing.assert_close(model.weight, reference.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.bias, reference.bias, rtol=1e-5, atol=1e-6)
torch.distributed.destroy_process_group()
"""


def test_two_processes_equal_one():
    ended = run_ranks(2, ["-c", RANK_SCRIPT, os.path.dirname(__file__)])
    assert [each.returncode for each in ended] == [0, 0], "\n".join(each.stdout for each in ended)
