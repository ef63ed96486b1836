"""The page about runs: what it shows, and that it is one file that needs nothing else."""

import base64
import io
import json
import re
import threading
from html.parser import HTMLParser
from urllib.request import urlopen

import matplotlib.image
import pytest
import torch
from torch import nn

from mainspring.errors import VisualizationError
from mainspring.hooks import Hook, ReportHook
from mainspring.report import RunFiles, page_of, runs_in, write_report
from mainspring.report.evaluation import Evaluation
from mainspring.report.record import StartRecord
from mainspring.report.samples import Display, inputs_and_targets
from mainspring.report.watch import PageServer
from mainspring.runner import Runner

VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """Reads a page; every element must be closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.links = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(self.texts)


def data_of(page):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])


class Points(torch.utils.data.Dataset):
    """Points whose class is the sign of their sum."""

    classes = ("minus", "<plus>")

    def __init__(self, count):
        self.x = torch.randn(count, 4, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], int(self.x[index].sum() > 0)


class Net(nn.Module):
    def __init__(self, fail_at=None):
        super().__init__()
        self.layer, self.fail_at, self.seen = nn.Linear(4, 2), fail_at, 0

    def train_step(self, data, optim_wrapper):
        self.seen += 1
        if self.seen == self.fail_at:
            raise RuntimeError("the <disk> is on fire")
        loss = nn.functional.cross_entropy(self.layer(data[0]), data[1])
        optim_wrapper.update_params(loss)
        return {"loss": loss}

    def val_step(self, data):
        return [
            {"prediction": score, "target": target}
            for score, target in zip(self.layer(data[0]), data[1], strict=True)
        ]

    test_step = val_step


def run_in(work_dir, hook=None, interval=1, **model):
    loader = torch.utils.data.DataLoader(Points(32), batch_size=8)
    return Runner(
        model=Net(**model),
        work_dir=str(work_dir),
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.5)),
        val_evaluator=dict(type="Accuracy"),
        default_hooks=dict(
            logger=dict(type="LoggerHook", interval=interval),
            checkpoint=dict(type="CheckpointHook", save_best="accuracy"),
        ),
        custom_hooks=[hook or ReportHook()],
        randomness=dict(seed=0),
        experiment_name=work_dir.name,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    runner = run_in(tmp_path_factory.mktemp("runs") / "finished")
    runner.train()
    return RunFiles.read(runner.work_dir)


def test_a_run_leaves_curves_and_a_page_that_needs_nothing_else(finished):
    assert (finished.folder / "curves.png").read_bytes()[:4] == b"\x89PNG"
    text = (finished.folder / "report.html").read_text()
    page = Page(text)
    assert [link for link in page.links if not link.startswith("data:")] == []
    assert "//" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL).replace(
        "<!-- ", ""
    )
    assert not re.search(r"fetch\(.http|@import|url\(", text)
    for title in ("Curves", "Checkpoints", "Confusion matrix", "Predictions", "Time", "Starts"):
        assert title in page.text
    assert "finished" in page.text
    assert "best accuracy" in page.text
    assert finished.newest.noted.parameters == 10
    panels = {panel["name"]: panel["curves"] for panel in data_of(text)["panels"]}
    (loss,) = panels["loss"]
    assert (loss["kind"], loss["x"]) == ("train", [1, 2, 3, 4, 5, 6, 7, 8])
    assert panels["accuracy"][0]["x"] == [4, 8]
    assert [next(iter(panels)), list(panels)[-1]] == ["loss", "data_time"]


def test_a_finished_run_is_finished_whatever_was_logged_last(tmp_path):
    runner = run_in(tmp_path / "run", hook=Hook(), interval=3)
    runner.train()
    facts = Page(page_of([RunFiles.read(runner.work_dir)])).text
    assert "iterations 8 of 8" in facts
    assert "epochs 2 of 2" in facts


def test_what_the_newest_validation_saw_is_noted(finished):
    noted = finished.newest.noted
    by_class, confusion = noted.tables
    points = Points(32)
    right = [points[index][1] for index in range(32)]
    assert confusion.rows == ["minus", "<plus>"]
    assert [sum(row) for row in confusion.values] == [right.count(0), right.count(1)]
    assert by_class.columns[0] == "samples"
    assert [row[0] for row in by_class.values] == [right.count(0), right.count(1)]
    assert len(noted.samples) == 12
    losses = [sample.loss for sample in noted.top_losses]
    assert len(losses) == 8
    assert losses == sorted(losses, reverse=True)
    assert max(sample.loss for sample in noted.samples) <= losses[0]
    assert noted.evaluated_at == 8
    parts = noted.seconds
    assert sum(parts[name] for name in ("data", "step", "validation", "saving")) <= parts["total"]
    assert all(seconds >= 0 for seconds in parts.values())


def test_names_of_users_are_text_and_no_elements(finished):
    text = page_of([finished])
    assert "<plus>" not in text
    assert "<plus>" in Page(text).text


def test_a_run_that_crashes_leaves_both_and_says_why(tmp_path):
    runner = run_in(tmp_path, fail_at=6)
    with pytest.raises(RuntimeError, match="on fire"):
        runner.train()
    assert (tmp_path / "curves.png").exists()
    page = Page((tmp_path / "report.html").read_text())
    assert "crashed" in page.text
    assert "RuntimeError: the <disk> is on fire" in page.text
    assert RunFiles.read(tmp_path).newest.noted.iteration == 5


def test_a_report_that_fails_ends_no_run_and_is_said_once(tmp_path, monkeypatch):
    def fail(self, batch, outputs):
        raise ValueError("strange outputs")

    monkeypatch.setattr(Evaluation, "look", fail)
    runner = run_in(tmp_path)
    said = []
    monkeypatch.setattr(runner.logger, "warning", lambda text, **_: said.append(text))
    runner.train()
    assert runner.iter == 8
    assert [text for text in said if "ReportHook" in text] == [
        (
            "the report of this run is incomplete: ReportHook.after_val_iter failed with ValueError: "
            "strange outputs"
        )
    ]
    assert (tmp_path / "report.html").exists()


def test_several_runs_share_their_panels(finished, tmp_path):
    runner = run_in(tmp_path / "other")
    runner.train()
    out = write_report([finished.folder, tmp_path / "other"], tmp_path / "page.html")
    text = out.read_text()
    assert {curve["run"] for panel in data_of(text)["panels"] for curve in panel["curves"]} == {
        0,
        1,
    }
    assert len([tag for tag, _ in Page(text).tags if tag == "details"]) == 2


def test_a_folder_of_runs_stands_for_its_runs(finished):
    folder = finished.folder.parent
    assert finished.folder in runs_in(folder)
    assert runs_in(finished.folder) == [finished.folder]


def test_without_a_run_there_is_no_page(tmp_path):
    with pytest.raises(VisualizationError, match="holds no run"):
        RunFiles.read(tmp_path)
    with pytest.raises(VisualizationError, match="there is no folder"):
        RunFiles.read(tmp_path / "nothing")


def test_a_run_of_mmengine_has_its_curves_too(tmp_path):
    data = tmp_path / "20260101_000000" / "vis_data"
    data.mkdir(parents=True)
    lines = [{"loss": 1.0, "iter": 10, "epoch": 1, "step": 10}, {"coco/bbox_mAP": 0.5, "step": 1}]
    (data / "scalars.json").write_text("\n".join(map(json.dumps, lines)) + '\n{"loss": 0.')
    text = page_of([RunFiles.read(tmp_path)])
    Page(text)
    assert [panel["name"] for panel in data_of(text)["panels"]] == ["loss", "coco/bbox_mAP"]


def test_a_damaged_record_counts_as_none(tmp_path):
    (tmp_path / "report.json").write_text('{"tables": [{"no": 1}]}')
    assert StartRecord.read(tmp_path) is None


def test_the_page_is_served_while_the_run_goes_on(finished, tmp_path):
    with PageServer([finished.folder], 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        text = urlopen(server.address).read().decode()
        version = urlopen(server.address + "version").read()
        scalars = finished.folder.glob("*/vis_data/scalars.json")
        with next(scalars).open("a") as file:
            file.write("\n")
        assert urlopen(server.address + "version").read() != version
        server.folders = [tmp_path]
        assert "holds no run" in urlopen(server.address).read().decode()
        server.shutdown()
        thread.join()
    assert 'data-reload="yes"' in text


@pytest.mark.parametrize(
    "batch",
    [
        (torch.zeros(3, 1, 8, 8), torch.arange(3)),
        {"inputs": torch.zeros(3, 1, 8, 8), "labels": torch.arange(3)},
        [{"inputs": torch.zeros(1, 8, 8), "label": label} for label in range(3)],
        {"inputs": [torch.zeros(1, 8, 8 + i) for i in range(3)], "data_samples": [0, 1, 2]},
    ],
    ids=["pair", "dict", "list", "sizes"],
)
def test_a_batch_of_any_form_has_samples(batch):
    pairs = inputs_and_targets(batch)
    assert [int(target) for _, target in pairs] == [0, 1, 2]
    assert all(inputs.shape[0] == 1 for inputs, _ in pairs)


def test_samples_are_images_texts_or_values():
    display = Display(classes=["cat", "dog"], decode=lambda ids: "".join(map(chr, ids)))
    image = display.show(torch.rand(3, 16, 16), {"prediction": torch.tensor([0.0, 9]), "target": 0})
    assert image.image
    assert (image.predicted, image.target, image.is_right) == ("dog 100%", "cat", False)
    text = display.show(torch.tensor([104, 105]), {"prediction": torch.eye(128)[[111, 107]]})
    assert (text.text, text.predicted) == ("hi", "ok")
    row = display.show({"age": 3, "x": torch.tensor([0.5])}, {"prediction": torch.tensor([1.25])})
    assert row.row == {"age": "3", "x": "0.5"}
    assert row.predicted == "1.25"


def test_boxes_are_those_of_four_numbers_with_what_is_known_of_each():
    corners = torch.tensor([[0.0, 0, 4, 4], [1.0, 1, 5, 5], [2.0, 2, 6, 6]])
    display = Display(classes=["cat", "dog"])
    found = {"bboxes": corners, "labels": torch.tensor([1, 0, 1]), "label": torch.tensor(0)}
    assert display.boxes(found)[2] == ["dog", "cat", "dog"]
    found["scores"] = torch.tensor([0.4, 0.2, 0.9])
    kept, _, texts = display.boxes(found)
    assert kept.tolist() == corners[[2, 0]].tolist()
    assert texts == ["dog 90%", "dog 40%"]
    assert display.boxes(found, most=1)[2] == ["dog 90%"]
    assert display.boxes({"boxes": corners})[2] == ["", "", ""]
    assert len(display.boxes({"boxes": []})[0]) == 0
    rotated = {"bboxes": torch.zeros(4, 5), "scores": torch.ones(4)}
    assert display.boxes(rotated) is None
    assert Display().show(torch.zeros(3, 8, 8), {"prediction": rotated}).image


def test_boxes_and_masks_are_drawn():
    image = torch.zeros(3, 32, 32)
    plain = Display().show(image)
    boxes = {"boxes": torch.tensor([[4.0, 4, 20, 20]]), "labels": torch.tensor([1])}
    found = {**boxes, "scores": torch.tensor([0.9])}
    drawn = Display().show(image, {"prediction": found, "target": boxes})
    masked = Display().show(image, {"prediction": torch.eye(32).long(), "target": None})
    assert len({plain.image, drawn.image, masked.image}) == 3


def pixels_of(shown):
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(shown.image)))


def test_what_is_drawn_on_a_large_image_shrinks_with_it():
    image = torch.zeros(3, 640, 1280)
    box = {"boxes": torch.tensor([[640.0, 320, 1279, 639]])}
    drawn = pixels_of(Display().show(image, {"prediction": box, "target": None}))
    assert drawn.shape[:2] == (160, 320)
    assert drawn[:70, :150, :3].max() == 0
    assert drawn[90:, 300:, :3].max() > 0.5
    mask = torch.zeros(640, 1280, dtype=torch.long)
    mask[:320, 640:] = 1
    both = pixels_of(Display().show(image, {"prediction": mask, "target": None}))
    assert both.shape[:2] == (160, 640)
    coloured = both[:, 320:, :3].max(-1) > 0.2
    assert coloured[:80, 160:].all()
    assert coloured.sum() == 80 * 160


def test_losses_are_those_of_cross_entropy_and_squared_error():
    scores, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, -1, 0])
    watched = Evaluation(samples=5, top_losses=0)
    watched.look(
        (torch.zeros(5, 2), targets),
        [{"prediction": s, "target": t} for s, t in zip(scores, targets, strict=True)],
    )
    found = [sample.loss for sample in watched.samples(Display())]
    expected = nn.functional.cross_entropy(scores, targets.clamp_min(0), reduction="none").tolist()
    assert found[3] is None
    assert [found[i] for i in (0, 1, 2, 4)] == pytest.approx([expected[i] for i in (0, 1, 2, 4)])
    watched = Evaluation(samples=2, top_losses=0)
    watched.look(
        (torch.zeros(2, 2), None),
        [{"prediction": torch.tensor([1.0]), "target": torch.tensor([3.0])} for _ in range(2)],
    )
    assert [sample.loss for sample in watched.samples(Display())] == [4.0, 4.0]


def test_one_number_for_each_sample_has_a_loss():
    numbers = [{"prediction": torch.tensor(p), "target": torch.tensor(1.0)} for p in (1.0, 4.0)]
    assert Evaluation(2, 2)._compare(numbers) == [0.0, 9.0]


def test_metrics_by_class_are_taken_as_they_are():
    metrics = {"iou": [0.5, 0.25], "dice": torch.tensor([0.6, 0.3]), "mIoU": 0.4,
               "confusion": torch.tensor([[3, 1], [0, 4]])}  # fmt: skip
    confusion, by_class = Evaluation(0, 0).tables(metrics, Display(["a", "b"]))
    assert confusion.is_confusion
    assert confusion.values == [[3, 1], [0, 4]]
    assert (by_class.columns, by_class.rows) == (["iou", "dice"], ["a", "b"])
    assert by_class.values[1] == pytest.approx([0.25, 0.3])
