"""Two real processes evaluate every sample once, and fail together."""

from __future__ import annotations

from prepared_processes import run_ranks

SCRIPT = """
import torch, torchmetrics
from mainspring.dataset import DefaultSampler
from mainspring.dist import get_rank, init_dist
from mainspring.evaluator import Accuracy, BaseMetric, ConfusionMatrix, Evaluator

class Values(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [sample["index"] for sample in data_samples]

    def compute_metrics(self, results):
        assert results == list(range(5)), results
        return {"sum": sum(results)}

class Broken(Values):
    def compute_metrics(self, results):
        raise OSError("no ground truth")

class Count(torchmetrics.Metric):
    def __init__(self):
        super().__init__()
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions, targets):
        self.count += len(predictions)

    def compute(self):
        return self.count

init_dist("pytorch", backend="gloo")
right = torch.tensor([1, 0, 1, 1, 0])
scores = torch.nn.functional.one_hot(right).float()
accuracy = torchmetrics.Accuracy(task="multiclass", num_classes=2, average="micro")
evaluator = Evaluator([Values(), Accuracy(), accuracy, Count(), ConfusionMatrix()])
# Rank 1 gets sample 0 again, because 5 samples do not divide.
for index in DefaultSampler(right, shuffle=False):
    evaluator.process([dict(index=index, prediction=scores[index], target=index % 2)])
metrics = evaluator.evaluate(5)
expected = sum(int(label) == index % 2 for index, label in enumerate(right)) / 5
assert metrics["sum"] == 10
assert abs(metrics["accuracy"] - 100 * expected) < 1e-9, metrics
assert abs(metrics["multiclassaccuracy"] - expected) < 1e-6, metrics
assert metrics["count"] == 5, metrics
assert metrics["confusion_matrix"] == [[1, 2], [1, 1]], metrics

broken = Broken()
broken.process(None, [dict(index=0)])
try:
    broken.evaluate(2)
except Exception as error:
    message = f"{type(error).__name__}: {error}"
expected = "OSError: no ground truth"
if get_rank() == 1:
    expected = "MetricError: Broken failed on rank 0 with OSError: no ground truth"
assert message == expected, message
torch.distributed.destroy_process_group()
"""


def test_every_sample_counts_once_over_two_ranks():
    ended = run_ranks(2, ["-c", SCRIPT])
    assert [each.returncode for each in ended] == [0, 0], "\n".join(each.stdout for each in ended)
