"""Metrics, and what evaluates them together."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import ConfigError, MetricError
from mainspring.evaluator import Accuracy, BaseMetric, DumpResults, Evaluator, get_metric_value
from mainspring.fileio import load
from mainspring.structures import BaseDataElement


class Mean(BaseMetric):
    default_prefix = None

    def process(self, data_batch, data_samples):
        self.results += [sample["value"] for sample in data_samples]

    def compute_metrics(self, results):
        return {"mean": sum(results) / len(results), "count": len(results)}


def samples(*values):
    return [{"value": value} for value in values]


def test_metrics_are_merged_and_begin_anew():
    evaluator = Evaluator([Mean(), Mean(prefix="again")])
    evaluator.process(samples(1, 2))
    evaluator.process(samples(3))
    assert evaluator.evaluate(3) == {
        "mean": 2.0,
        "count": 3,
        "again/mean": 2.0,
        "again/count": 3,
    }
    evaluator.process(samples(5))
    assert evaluator.evaluate(1)["mean"] == 5.0


def test_results_of_padding_samples_are_cut_off():
    evaluator = Evaluator(Mean())
    evaluator.process(samples(1, 2, 3, 3))
    assert evaluator.evaluate(3)["count"] == 3


def test_two_metrics_of_one_name_are_refused():
    evaluator = Evaluator([Mean(), Mean()])
    evaluator.process(samples(1))
    with pytest.raises(MetricError, match="two metrics give 'mean'"):
        evaluator.evaluate(1)


def test_data_elements_reach_metrics_as_dicts():
    evaluator = Evaluator(Mean())
    evaluator.process([BaseDataElement(value=4)])
    assert evaluator.evaluate(1)["mean"] == 4


def test_meta_information_reaches_the_metrics():
    metric = Mean()
    Evaluator(metric).dataset_meta = {"classes": ["a"]}
    assert metric.dataset_meta == {"classes": ["a"]}


def test_offline_evaluation():
    evaluator = Evaluator(Mean())
    assert evaluator.offline_evaluate(samples(1, 2, 3), chunk_size=2)["mean"] == 2
    with pytest.raises(ValueError, match="more data_samples"):
        evaluator.offline_evaluate(samples(1, 2), data=[0], chunk_size=2)


def test_what_is_no_metric_is_refused():
    with pytest.raises(ConfigError, match="is no metric"):
        Evaluator(3)


@given(st.integers(1, 30), st.integers(2, 6), st.integers(0, 10**6))
def test_accuracy_equals_topk_of_torch(n, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, classes, generator=generator)
    targets = torch.randint(classes, (n,), generator=generator)
    metric = Accuracy(topk=(1, 2))
    metric.process(None, [dict(prediction=s, target=t) for s, t in zip(scores, targets)])
    best = scores.topk(2).indices
    found = metric.evaluate(n)
    for k, name in ((1, "accuracy/top1"), (2, "accuracy/top2")):
        expected = (best[:, :k] == targets[:, None]).any(1).double().mean().item() * 100
        assert found[name] == pytest.approx(expected)


def test_accuracy_of_labels_and_of_other_names():
    metric = Accuracy()
    metric.process(None, [dict(pred_label=1, gt_label=1), dict(pred_label=0, gt_label=1)])
    assert metric.evaluate(2) == {"accuracy": 50.0}


def test_accuracy_names_what_is_missing():
    with pytest.raises(MetricError, match="no target: it holds prediction") as caught:
        Accuracy().process(None, [dict(prediction=torch.zeros(2))])
    assert "prediction=scores, target=label" in caught.value.help
    with pytest.raises(MetricError, match="class 5"):
        Accuracy().process(None, [dict(prediction=torch.zeros(2), target=5)])
    with pytest.raises(ConfigError, match="topk is 0"):
        Accuracy(topk=0)


def test_scores_that_are_no_numbers_are_wrong():
    metric = Accuracy()
    metric.process(None, [dict(prediction=torch.full((2,), float("nan")), target=0)])
    assert metric.evaluate(1) == {"accuracy": 0.0}


def test_torchmetrics_objects():
    torchmetrics = pytest.importorskip("torchmetrics")
    metric = torchmetrics.classification.MulticlassAccuracy(num_classes=3, average="micro")
    evaluator = Evaluator([metric])
    scores, targets = torch.eye(3), torch.tensor([0, 1, 0])
    evaluator.process([dict(prediction=s, target=t) for s, t in zip(scores, targets)])
    assert evaluator.evaluate(3)["multiclassaccuracy"] == pytest.approx(2 / 3)
    with pytest.raises(MetricError, match="saw no sample"):
        evaluator.evaluate(0)


def test_predictions_are_written_to_a_file(tmp_path):
    metric = DumpResults(str(tmp_path / "out.pkl"))
    metric.process(None, [dict(a=torch.ones(1)), dict(a=torch.zeros(1))])
    assert metric.evaluate(2) == {}
    assert [item["a"].item() for item in load(tmp_path / "out.pkl")] == [1, 0]
    with pytest.raises(ConfigError, match="out_file_path"):
        DumpResults("out.json")


def test_a_metric_is_found_with_or_without_its_prefix():
    metrics = {"a/acc": 1, "b/acc": 2, "b/loss": 3}
    assert get_metric_value("a/acc", metrics) == 1
    assert get_metric_value("loss", metrics) == 3
    with pytest.raises(MetricError, match="a/acc or b/acc"):
        get_metric_value("acc", metrics)
    with pytest.raises(MetricError) as caught:
        get_metric_value("a/ac", metrics)
    assert "a/acc" in caught.value.help
