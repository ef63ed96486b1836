"""What a model returns in mode 'loss', and what is minimised and logged of it."""

import pytest
import torch

from mainspring.model.base_model import parse_losses
from mainspring.structures import NormalizedLoss


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def scalar(value):
    return torch.tensor(float(value), requires_grad=True)


def test_entries_whose_name_contains_loss_are_summed():
    total, log_vars = parse_losses(
        {"loss_cls": leaf(1.0, 3.0), "decode.loss_ce": scalar(4), "acc": scalar(9)}
    )
    assert total.item() == 6.0
    assert list(log_vars) == ["loss", "loss_cls", "decode.loss_ce", "acc"]
    assert {name: value.item() for name, value in log_vars.items()} == {
        "loss": 6.0,
        "loss_cls": 2.0,
        "decode.loss_ce": 4.0,
        "acc": 9.0,
    }


def test_a_list_counts_as_the_sum_of_its_means():
    total, log_vars = parse_losses({"loss_rpn": [leaf(1.0), leaf(2.0, 4.0)]})
    assert total.item() == 4.0
    assert log_vars["loss_rpn"].item() == 4.0


def test_an_empty_list_counts_as_nothing():
    total, log_vars = parse_losses({"loss_a": scalar(2), "loss_b": []})
    assert total.item() == 2.0
    assert log_vars["loss_b"].item() == 0.0


def test_logged_values_are_detached_tensors_and_the_total_is_not():
    total, log_vars = parse_losses({"loss": scalar(2), "acc": scalar(1)})
    assert total.requires_grad
    assert not any(value.requires_grad for value in log_vars.values())


def test_an_entry_named_loss_is_logged_as_it_is_though_the_total_is_larger():
    total, log_vars = parse_losses({"loss_aux": scalar(2), "loss": scalar(1)})
    assert total.item() == 3.0
    assert log_vars["loss"].item() == 1.0
    assert next(iter(log_vars)) == "loss"


def test_gradients_flow_from_every_term():
    a, b = leaf(1.0, 2.0), scalar(3)
    total, _ = parse_losses({"loss_a": a, "loss_b": [b]})
    total.backward()
    assert a.grad.tolist() == [0.5, 0.5]
    assert b.grad.item() == 1.0


@pytest.mark.parametrize("value", [1.0, (torch.ones(1),), [1.0], None])
def test_other_values_are_refused_by_name(value):
    with pytest.raises(TypeError, match="loss_x is not a tensor or list of tensors"):
        parse_losses({"loss_x": value})


@pytest.mark.parametrize(
    ("losses", "advice"),
    [
        ({"loss": (torch.ones(1),)}, "give a list"),
        ({"loss": 1.0}, r"leave out \.item\(\)"),
        ({"loss": torch.ones(()), "accuracy": 0.5}, "only logged is a tensor"),
        ({0: torch.ones(())}, "the key 0, but their names are strings"),
    ],
)
def test_the_advice_is_about_what_was_returned(losses, advice):
    with pytest.raises(TypeError, match=advice):
        parse_losses(losses)


def test_a_bare_tensor_is_refused_with_advice():
    with pytest.raises(TypeError, match=r"return dict\(loss=...\)"):
        parse_losses(torch.ones(()))


@pytest.mark.parametrize("losses", [{}, {"acc": torch.ones(())}])
def test_nothing_to_minimise_is_an_error(losses):
    with pytest.raises(ValueError, match="nothing to minimise"):
        parse_losses(losses)


class TestNormalizedLoss:
    def test_the_total_declares_the_common_count(self):
        count = torch.tensor(7)
        total, log_vars = parse_losses(
            {
                "loss_a": NormalizedLoss(scalar(1), count),
                "loss_b": NormalizedLoss(scalar(2), count),
                "loss_c": scalar(4),
            }
        )
        assert isinstance(total, NormalizedLoss)
        assert total.value.item() == 7.0
        assert total.count is count
        assert log_vars["loss"].item() == 7.0
        assert log_vars["loss_a"].item() == 1.0
        assert not log_vars["loss_a"].requires_grad

    def test_equal_numbers_are_one_count(self):
        total, _ = parse_losses(
            {"loss_a": NormalizedLoss(scalar(1), 3), "loss_b": NormalizedLoss(scalar(2), 3.0)}
        )
        assert total.count == 3

    @pytest.mark.parametrize("other", [4, torch.tensor(3)])
    def test_two_counts_are_an_error(self, other):
        with pytest.raises(ValueError, match="loss_b declares another count"):
            parse_losses(
                {"loss_a": NormalizedLoss(scalar(1), 3), "loss_b": NormalizedLoss(scalar(2), other)}
            )

    def test_the_count_of_what_is_only_logged_does_not_matter(self):
        total, log_vars = parse_losses(
            {"loss": NormalizedLoss(scalar(1), 3), "acc": NormalizedLoss(scalar(2), 5)}
        )
        assert total.count == 3
        assert log_vars["acc"].item() == 2.0
