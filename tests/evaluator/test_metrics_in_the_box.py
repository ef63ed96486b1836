"""The metrics that people need first, against scikit-learn, torchmetrics and pycocotools."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest
import torch
import torchmetrics
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn import metrics as sklearn_metrics
from torch.nn import functional

from mainspring.errors import ConfigError, MetricError
from mainspring.evaluator import (
    BoxAveragePrecision,
    ConfusionMatrix,
    Evaluator,
    MeanIoU,
    Perplexity,
    PrecisionRecallF1,
    RegressionErrors,
)


def evaluated(metric, predictions, targets, batch=7, wrap=None):
    """The metric's values, the samples given batch by batch."""
    samples = [dict(prediction=p, target=t) for p, t in zip(predictions, targets, strict=True)]
    for start in range(0, len(samples), batch):
        metric.process({}, samples[start : start + batch])
    return metric.evaluate(size=len(samples))


@pytest.fixture
def scores():
    return torch.randn(101, 6, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def labels():
    # Class 4 is no target, so that its recall is not defined.
    return torch.randint(0, 4, (101,), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
def test_precision_recall_and_f1_are_those_of_scikit_learn(scores, labels, average):
    scores[:, 5] = -9  # nor is anything taken for class 5: it does not occur
    expected = sklearn_metrics.precision_recall_fscore_support(
        labels, scores.argmax(1), average=average, zero_division=0.0
    )
    found = evaluated(PrecisionRecallF1(average), scores, labels)
    assert list(found) == ["precision", "recall", "f1"]
    assert [100 * value for value in expected[:3]] == pytest.approx(list(found.values()))


def test_scores_of_each_class(scores, labels):
    expected = sklearn_metrics.precision_recall_fscore_support(
        labels, scores.argmax(1), labels=range(6), zero_division=0.0
    )
    found = evaluated(PrecisionRecallF1("none"), scores, labels)
    for values, name in zip(expected, ["precision", "recall", "f1"], strict=False):
        assert found[name] == pytest.approx(list(100 * values))


def test_the_confusion_matrix_is_that_of_scikit_learn(scores, labels):
    expected = sklearn_metrics.confusion_matrix(labels, scores.argmax(1), labels=range(6))
    assert evaluated(ConfusionMatrix(), scores, labels)["confusion_matrix"] == expected.tolist()
    of_labels = evaluated(ConfusionMatrix(6), scores.argmax(1), labels)
    assert of_labels["confusion_matrix"] == expected.tolist()


def test_the_data_set_tells_how_many_classes_there_are(scores, labels):
    metric = ConfusionMatrix()
    metric.dataset_meta = dict(classes=list("abcdef"))
    assert len(evaluated(metric, scores.argmax(1), labels)["confusion_matrix"]) == 6


def test_labels_beyond_the_classes_are_named(scores, labels):
    labels[100] = 17
    with pytest.raises(MetricError, match="knows 6 classes.*between 0 and 17"):
        evaluated(ConfusionMatrix(), scores, labels, batch=101)
    found = evaluated(ConfusionMatrix(ignore_index=17), scores, labels)
    assert sum(map(sum, found["confusion_matrix"])) == 100


@pytest.mark.parametrize(
    "prediction", [torch.tensor(0.3), torch.tensor(1), torch.zeros(2, 3)], ids=str
)
def test_what_holds_no_class_is_refused(prediction):
    with pytest.raises(MetricError, match="cannot count classes in predictions of shape"):
        evaluated(PrecisionRecallF1(), [prediction], [torch.tensor(1)])


def test_an_average_that_does_not_exist():
    with pytest.raises(ConfigError, match="average is 'makro'"):
        PrecisionRecallF1("makro")


def test_overlaps_of_maps_are_those_of_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(3, size, size + 1, generator=generator) for size in (4, 4, 9, 5)]
    targets = [torch.randint(0, 3, scores.shape[1:], generator=generator) for scores in maps]
    flat = torch.cat([scores.argmax(0).flatten() for scores in maps])
    wanted = torch.cat([target.flatten() for target in targets])
    iou = torchmetrics.functional.jaccard_index(flat, wanted, "multiclass", num_classes=3)
    recall = sklearn_metrics.recall_score(wanted, flat, average="macro")
    found = evaluated(MeanIoU(), maps, targets)
    assert found["mIoU"] == pytest.approx(100 * float(iou))
    assert found["mAcc"] == pytest.approx(100 * recall)
    assert found["aAcc"] == pytest.approx(100 * float((flat == wanted).double().mean()))


def test_pixels_without_a_class_do_not_count():
    target = torch.tensor([[0, 255], [255, 1]])
    found = evaluated(MeanIoU(2), [torch.tensor([[0, 1], [0, 1]])], [target])
    assert found == dict(mIoU=100.0, mAcc=100.0, aAcc=100.0)


def test_errors_of_numbers_are_those_of_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    targets = 100 + torch.randn(50, 2, generator=generator)
    predictions = targets + 0.3 * torch.randn(50, 2, generator=generator)
    flat, wanted = predictions.flatten().double(), targets.flatten().double()
    found = evaluated(RegressionErrors(prefix="price"), predictions, targets)
    assert found == pytest.approx({
        "price/mae": sklearn_metrics.mean_absolute_error(wanted, flat),
        "price/mse": sklearn_metrics.mean_squared_error(wanted, flat),
        "price/rmse": sklearn_metrics.root_mean_squared_error(wanted, flat),
        "price/r2": sklearn_metrics.r2_score(wanted, flat),
    })  # fmt: skip


def test_targets_that_are_all_the_same_have_no_variance_to_explain():
    assert math.isnan(evaluated(RegressionErrors(), [1.0, 2.0], [3.0, 3.0])["r2"])


def test_the_perplexity_of_sentences_of_different_lengths():
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(length, 11, generator=generator) for length in (3, 8, 8)]
    tokens = [torch.randint(0, 11, (len(each),), generator=generator) for each in logits]
    tokens[1][5:] = -100
    loss = functional.cross_entropy(torch.cat(logits), torch.cat(tokens))
    found = evaluated(Perplexity(), logits, tokens)["perplexity"]
    assert found == pytest.approx(float(loss.exp()), rel=1e-6)


def boxes_of(rng, count, classes):
    corner = rng.integers(0, 200, (count, 2)).astype(float)
    size = rng.choice([12, 25, 40, 90, 150], (count, 2)) + rng.integers(0, 9, (count, 2))
    return np.concatenate([corner, corner + size], 1), rng.integers(0, classes, count)


def images(seed, count=12, classes=3):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        boxes, labels = boxes_of(rng, rng.integers(0, 7), classes)
        moved = boxes + rng.normal(0, 4, boxes.shape)
        more, more_labels = boxes_of(rng, rng.integers(0, 9), classes)
        found = np.concatenate([moved, moved[:2] + 3, more])
        found_labels = np.concatenate([labels, labels[:2], more_labels])
        # Equal scores occur.
        scores = rng.integers(1, 20, len(found)) / 20
        crowds = rng.random(len(boxes)) < 0.15
        yield (
            dict(boxes=torch.from_numpy(found), scores=torch.from_numpy(scores),
                 labels=torch.from_numpy(found_labels)),
            dict(boxes=torch.from_numpy(boxes), labels=torch.from_numpy(labels),
                 crowds=torch.from_numpy(crowds)),
        )  # fmt: skip


def by_pycocotools(pairs, classes=3):
    def annotation(number, image, box, label, **more):
        x1, y1, x2, y2 = box
        width, height = x2 - x1, y2 - y1
        return dict(id=number, image_id=image, bbox=[x1, y1, width, height], area=width * height,
                    category_id=int(label), **more)  # fmt: skip

    targets, found = [], []
    for image, (prediction, target) in enumerate(pairs):
        for box, label, crowd in zip(*(target[name].tolist() for name in target), strict=True):
            number = len(targets) + 1
            targets.append(annotation(number, image, box, label, iscrowd=int(crowd)))
        for box, score, label in zip(*(prediction[n].tolist() for n in prediction), strict=True):
            found.append(annotation(len(found) + 1, image, box, label, score=score))
    coco = COCO()
    coco.dataset = dict(
        images=[dict(id=image) for image in range(len(pairs))],
        categories=[dict(id=label) for label in range(classes)],
        annotations=targets,
    )
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [value if value < 0 else 100 * value for value in evaluation.stats[:6]]


@pytest.mark.parametrize("seed", range(6))
def test_the_average_precision_of_boxes_is_that_of_pycocotools(seed):
    pairs = list(images(seed))
    found = evaluated(BoxAveragePrecision(), *zip(*pairs, strict=True))
    names = ["mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l"]
    assert [found[name] for name in names] == pytest.approx(by_pycocotools(pairs))


def test_no_box_to_find():
    nothing = dict(boxes=torch.zeros(0, 4), labels=torch.zeros(0))
    found = dict(boxes=torch.ones(1, 4), scores=torch.ones(1), labels=torch.zeros(1))
    metrics = evaluated(BoxAveragePrecision(), [found], [nothing])
    assert set(metrics.values()) == {-1.0}


def test_openmmlab_s_fields():
    boxes, labels = torch.tensor([[0.0, 0.0, 10.0, 10.0]]), torch.tensor([2])
    sample = dict(
        pred_instances=dict(bboxes=boxes, scores=torch.ones(1), labels=labels),
        gt_instances=dict(bboxes=boxes, labels=labels),
    )
    metric = BoxAveragePrecision()
    metric.process({}, [sample])
    assert metric.evaluate(size=1)["mAP_50"] == 100.0
    with pytest.raises(MetricError, match="a sample has no 'prediction'"):
        metric.process({}, [dict(boxes=boxes)])


def test_metrics_of_torchmetrics_have_names_of_ours(scores, labels):
    metrics = [
        dict(type="F1Score", task="multiclass", num_classes=6, average="macro"),
        dict(type="MeanSquaredError"),
    ]
    evaluator = Evaluator(metrics[:1])
    samples = [dict(prediction=s, target=t) for s, t in zip(scores, labels, strict=True)]
    evaluator.process(samples, {})
    f1 = torchmetrics.functional.f1_score(
        scores, labels, "multiclass", num_classes=6, average="macro"
    )
    assert evaluator.evaluate(len(samples)) == {"f1score": pytest.approx(float(f1))}
