"""Metrics and evaluators."""

from __future__ import annotations

import logging
import pickle

import pytest
import torch

from mainspring.errors import ConfigError, MetricError
from mainspring.evaluator import BaseMetric, DumpResults, Evaluator, get_metric_value
from mainspring.evaluator.metric import _to_cpu
from mainspring.registry import EVALUATOR, METRICS
from mainspring.structures import BaseDataElement


@METRICS.register_module(name="MeanForTest", force=True)
class Mean(BaseMetric):
    def __init__(self, name="mean", **options):
        super().__init__(**options)
        self.name = name

    def process(self, data_batch, data_samples):
        self.results += [sample["value"] for sample in data_samples]

    def compute_metrics(self, results):
        return {self.name: sum(results) / len(results)}


def samples(*values):
    return [{"value": value} for value in values]


def test_a_metric_is_fed_and_computed_and_begins_anew():
    evaluator = Evaluator(Mean())
    evaluator.process(samples(1, 2))
    evaluator.process(samples(3, 100))
    assert evaluator.evaluate(3) == {"mean": 2}
    evaluator.process(samples(7))
    assert evaluator.evaluate(1) == {"mean": 7}


class MeanOfOwn(Mean):
    """As MMPretrain's average precision of retrievals, which reads what it has itself."""

    def compute_metrics(self, results):
        return super().compute_metrics(self.results)


def test_results_are_there_until_the_metrics_are_computed():
    metric = MeanOfOwn()
    for value in (1, 7):
        metric.process(None, samples(value))
        assert metric.evaluate(1) == {"mean": value}


@pytest.mark.parametrize(
    "metrics",
    [
        dict(type="MeanForTest"),
        [dict(type="MeanForTest"), dict(type="MeanForTest", prefix="b")],
        Mean,
        [Mean(), Mean(prefix="b")],
    ],
    ids=["dict", "dicts", "class", "objects"],
)
def test_what_an_evaluator_is_made_of(metrics):
    evaluator = Evaluator(metrics)
    evaluator.process(samples(1))
    assert evaluator.evaluate(1) in ({"mean": 1}, {"mean": 1, "b/mean": 1})


def test_it_is_registered():
    evaluator = EVALUATOR.build(dict(type="Evaluator", metrics=[dict(type="MeanForTest")]))
    assert type(evaluator.metrics[0]) is Mean


def test_what_is_no_metric():
    with pytest.raises(ConfigError, match="3 is no metric"):
        Evaluator([3])


def test_a_name_given_twice():
    evaluator = Evaluator([Mean(), Mean()])
    evaluator.process(samples(1))
    with pytest.raises(MetricError, match="two metrics give 'mean'"):
        evaluator.evaluate(1)


def test_prefixes():
    class Own(Mean):
        default_prefix = "own"

    assert Own().prefix == "own"
    assert Own(prefix="given").prefix == "given"


def test_meta_information_reaches_the_metrics():
    evaluator = Evaluator([Mean(), Mean("other")])
    evaluator.dataset_meta = {"classes": ["a"]}
    assert evaluator.dataset_meta == evaluator.metrics[1].dataset_meta == {"classes": ["a"]}


def test_data_elements_become_dicts():
    element = BaseDataElement()
    element.value = 4
    evaluator = Evaluator(Mean())
    evaluator.process([element])
    assert evaluator.evaluate(1) == {"mean": 4}


def test_evaluating_what_was_predicted_before():
    evaluator = Evaluator(Mean())
    assert evaluator.offline_evaluate(samples(1, 2, 6), chunk_size=2) == {"mean": 3}
    assert evaluator.offline_evaluate(samples(1, 3), data=[0, 0]) == {"mean": 2}
    with pytest.raises(AssertionError, match="more data_samples than data"):
        evaluator.offline_evaluate(samples(1, 3), data=[0])


def test_a_metric_that_collected_nothing_says_so(caplog):
    class Count(Mean):
        def compute_metrics(self, results):
            return {"count": len(results)}

    with caplog.at_level(logging.WARNING):
        assert Count().evaluate(0) == {"count": 0}


def test_collect_dir_needs_the_cpu(tmp_path):
    with pytest.raises(ValueError, match="collect_dir goes with collect_device='cpu'"):
        Mean(collect_device="gpu", collect_dir=str(tmp_path))


def test_dumping_results(tmp_path):
    path = tmp_path / "out.pkl"
    metric = METRICS.build(dict(type="DumpResults", out_file_path=str(path)))
    metric.process(None, [{"scores": torch.ones(2)}, {"scores": torch.zeros(2)}])
    assert metric.evaluate(1) == {}
    dumped = pickle.loads(path.read_bytes())
    assert len(dumped) == 1
    assert dumped[0]["scores"].tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"out\.json"):
        DumpResults("out.json")


def test_nested_data_on_the_cpu():
    data = {"a": [torch.ones(1)], "b": (1, "x"), "c": None}
    assert _to_cpu(data) == data


@pytest.mark.parametrize(
    ("indicator", "value"), [("acc", 1), ("top/acc", 1), ("loss", 3), ("val/loss", 3)]
)
def test_one_metric_among_all(indicator, value):
    assert get_metric_value(indicator, {"top/acc": 1, "bbox/mAP": 2, "val/loss": 3}) == value


def test_a_metric_that_nobody_or_everybody_computes():
    with pytest.raises(MetricError, match="'map'.*\n.*did you mean 'bbox/mAP'|there are"):
        get_metric_value("map", {"bbox/mAP": 2})
    with pytest.raises(MetricError, match="may be a/acc or b/acc"):
        get_metric_value("acc", {"a/acc": 1, "b/acc": 2})


def test_a_model_that_predicts_nothing_is_told_what_is_needed():
    with pytest.raises(
        MetricError, match="predicted None for a batch.*one result for each"
    ) as error:
        Evaluator(Mean()).process(None)
    assert "return a list" in error.value.help
