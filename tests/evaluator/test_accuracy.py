"""Accuracy, and torchmetrics beside it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import MetricError
from mainspring.evaluator import Accuracy, Evaluator, TorchMetric
from mainspring.registry import METRICS
from mainspring.structures import LabelData


def predictions(scores, targets):
    return [{"prediction": s, "target": t} for s, t in zip(scores, targets, strict=True)]


def evaluate(metric, *batches):
    for batch in batches:
        metric.process(None, batch)
    return metric.evaluate(sum(len(batch) for batch in batches))


@given(seed=st.integers(0, 10**6), count=st.integers(1, 20), k=st.integers(1, 5))
def test_top_k_is_torchs_top_k(seed, count, k):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(count, 5, generator=generator)
    targets = torch.randint(5, (count,), generator=generator)
    among_best = (scores.topk(k).indices == targets[:, None]).any(1)
    found = evaluate(Accuracy(topk=k), predictions(scores, targets))
    assert found == {"accuracy": pytest.approx(100 * among_best.double().mean().item())}


def test_several_k_have_names_of_their_own():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.9, 0.1, 0.5]])
    metrics = evaluate(Accuracy(topk=(1, 2)), predictions(scores, torch.tensor([2, 0])))
    assert metrics == {"accuracy/top1": 50.0, "accuracy/top2": 100.0}


def test_ties_go_to_the_smaller_index_as_with_argmax():
    scores = torch.zeros(3, 3)
    assert evaluate(Accuracy(), predictions(scores, torch.tensor([0, 1, 2]))) == {
        "accuracy": pytest.approx(100 / 3)
    }


@pytest.mark.parametrize(
    "sample",
    [
        {"pred_score": torch.tensor([0.2, 0.8]), "gt_label": torch.tensor([1])},
        {"pred_label": torch.tensor([1]), "gt_label": torch.tensor([1])},
        {"prediction": 1, "target": 1},
        {"pred_label": LabelData(label=torch.tensor([1])).to_dict(), "gt_label": 1},
        (torch.tensor([0.2, 0.8]), 1),
    ],
    ids=str,
)
def test_the_names_that_samples_use(sample):
    assert evaluate(Accuracy(), [sample, sample]) == {"accuracy": 100.0}


def test_padding_samples_do_not_count():
    metric = Accuracy()
    metric.process(None, predictions(torch.eye(3), torch.tensor([0, 1, 0])))
    assert metric.evaluate(2) == {"accuracy": 100.0}


def test_batches_of_different_size_count_by_samples():
    right = predictions(torch.eye(4), torch.arange(4))
    wrong = predictions(torch.eye(4)[:1], torch.tensor([3]))
    assert evaluate(Accuracy(), right, wrong) == {"accuracy": 80.0}


def test_mistakes():
    with pytest.raises(ValueError, match="topk is 0"):
        Accuracy(topk=0)
    with pytest.raises(MetricError, match="saw no sample"):
        Accuracy().evaluate(3)
    with pytest.raises(MetricError, match="a target is class 7, but there are scores for 2"):
        Accuracy().process(None, predictions(torch.eye(2), torch.tensor([0, 7])))
    with pytest.raises(MetricError, match="a target is class -100"):
        Accuracy().process(None, predictions(torch.eye(2), torch.tensor([0, -100])))
    with pytest.raises(MetricError, match="no target: it holds prediction, lable"):
        Accuracy().process(None, [{"prediction": torch.ones(2), "lable": 1}])


def test_by_name_and_in_an_evaluator():
    evaluator = Evaluator(dict(type="Accuracy", prefix="top"))
    evaluator.process(predictions(torch.eye(2), torch.tensor([0, 1])))
    assert evaluator.evaluate(2) == {"top/accuracy": 100.0}
    assert METRICS.get("Accuracy") is Accuracy


# torchmetrics


def test_torchmetrics_objects_as_they_are():
    torchmetrics = pytest.importorskip("torchmetrics")
    metric = torchmetrics.Accuracy(task="multiclass", num_classes=3, average="micro")
    evaluator = Evaluator([metric, Accuracy()])
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.9, 0.1, 0.5], [0.0, 0.0, 1.0]])
    for _ in range(2):  # nothing is left of the first evaluation in the second
        evaluator.process(predictions(scores[:2], torch.tensor([1, 1])))
        evaluator.process(predictions(scores[2:], torch.tensor([2])))
        metrics = evaluator.evaluate(3)
        assert metrics == {
            "multiclassaccuracy": pytest.approx(2 / 3),
            "accuracy": pytest.approx(200 / 3),
        }


def test_a_collection_and_a_dict():
    torchmetrics = pytest.importorskip("torchmetrics")
    collection = torchmetrics.MetricCollection(
        {"mae": torchmetrics.MeanAbsoluteError(), "mse": torchmetrics.MeanSquaredError()}
    )
    evaluator = Evaluator([collection, dict(type="torchmetrics.MeanAbsoluteError")])
    evaluator.process(predictions(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 2.0])))
    assert evaluator.evaluate(2) == {"mae": 1.0, "mse": 2.0, "meanabsoluteerror": 1.0}


def test_a_torchmetric_without_samples():
    torchmetrics = pytest.importorskip("torchmetrics")
    with pytest.raises(MetricError, match="mae saw no sample"):
        TorchMetric(torchmetrics.MeanAbsoluteError(), name="mae").evaluate(3)


@pytest.mark.parametrize(
    ("prediction", "target", "said"),
    [
        (torch.tensor(0.3), 1, r"a prediction is 0\.3, neither scores nor a label"),
        (torch.zeros(2, 3), 1, r"of shapes \(2, 3\) and \(\)"),
        (torch.zeros(3), torch.tensor([0, 1]), r"of shapes \(3,\) and \(2,\)"),
    ],
)
def test_what_is_neither_scores_nor_a_label_is_refused(prediction, target, said):
    with pytest.raises(MetricError, match=said):
        Accuracy().process({}, [dict(prediction=prediction, target=target)])


def test_a_label_may_be_a_whole_number_in_floating_point():
    accuracy = Accuracy()
    accuracy.process({}, [dict(prediction=torch.tensor(p), target=1) for p in (1.0, 0.0)])
    assert accuracy.evaluate(size=2) == {"accuracy": 50.0}


def test_as_many_best_scores_as_there_are_classes_are_no_accuracy():
    sample = dict(prediction=torch.tensor([0.1, 0.9]), target=torch.tensor(0))
    with pytest.raises(MetricError, match="topk is 5, but there are scores for 2 classes"):
        Accuracy(topk=(1, 5)).process(None, [sample])
