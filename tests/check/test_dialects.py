"""The same checks, with places, for text-style, new-style, YAML and JSON configs, and bases."""

from __future__ import annotations

import pytest

TEXT = """
custom_imports = dict(imports=['check_parts'])
model = dict(type='Net', backbone=dict(type='Backbone', depth=50))
train_dataloader = dict(
    dataset=dict(type='Points', split='train', pipeline=[dict(type='Resize', scale=(3, 4))]),
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_size=4,
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
param_scheduler = [dict(type='MultiStepLR', milestones=[8, 11], end=12, by_epoch=True)]
val_evaluator = dict(type='Accuracy')
val_dataloader = dict(dataset=dict(type='Points'), shuffle=False)
val_cfg = dict()
default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='accuracy'))
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(by_epoch=True)
auto_scale_lr = dict(base_batch_size=64)
"""


def test_nothing_is_wrong_with_a_right_config(problems_of):
    assert problems_of(TEXT) == []


MISTAKES = [
    (
        "type='Net'",
        "type='Nett'",
        "3:14",
        "the registry of models has no 'Nett'",
        "did you mean 'Net'?",
    ),
    (
        "type='Backbone'",
        "type='Bakbone'",
        "3:40",
        "no registry knows 'Bakbone'",
        "did you mean 'Backbone'?",
    ),
    ("depth=50", "depht=50", "3:57", "Backbone has no parameter 'depht'", "did you mean 'depth'?"),
    ("'Points', split", "'Points', splt", "5:33", "Points has no parameter 'splt'", ...),
    (
        "type='Resize'",
        "type='Resise'",
        "5:63",
        "no registry knows 'Resise'",
        "did you mean 'Resize'?",
    ),
    ("shuffle=True", "shufle=True", "6:41", "DefaultSampler has no parameter 'shufle'", ...),
    ("type='DefaultSampler'", "type='Sampler'", "6:18", ..., ...),
    ("batch_size=4", "batch_size='4'", "7:5", "batch_size is '4', but DataLoader takes int", ...),
    (
        "max_epochs=12",
        "max_epoch=12",
        "9:46",
        "EpochBasedTrainLoop has no parameter 'max_epoch'",
        "did you mean 'max_epochs'?",
    ),
    (
        "type='SGD'",
        "type='SDG'",
        "10:58",
        "the registry of optimizers has no 'SDG'",
        "did you mean 'SGD'?",
    ),
    ("lr=0.1", "lrr=0.1", "10:70", "SGD has no parameter 'lrr'", "did you mean 'lr'?"),
    (
        "type='SGD', ",
        "typ='SGD', ",
        "10:58",
        "optim_wrapper.optimizer does not say what it is: it has no type",
        "'typ' looks like 'type'",
    ),
    ("milestones=", "milestone=", "11:45", "MultiStepLR has no parameter 'milestone'", ...),
    (
        "type='Accuracy'",
        "type='Acuracy'",
        "12:22",
        "the registry of metrics has no 'Acuracy'",
        "did you mean 'Accuracy'?",
    ),
    (
        "save_best='accuracy'",
        "save_best='acuracy'",
        "15:61",
        "save_best is 'acuracy', but the evaluator gives accuracy",
        "did you mean 'accuracy'?",
    ),
    (
        "type='LocalVisBackend'",
        "type='LocalVisBackends'",
        "16:57",
        "the registry of vis backends has no 'LocalVisBackends'",
        "did you mean 'LocalVisBackend'?",
    ),
    (
        "base_batch_size=64",
        "base_batch=64",
        "18:22",
        "auto_scale_lr has no setting 'base_batch'",
        ...,
    ),
]


@pytest.mark.parametrize(
    ("right", "wrong", "place", "message", "help_line"), MISTAKES, ids=[row[1] for row in MISTAKES]
)
def test_text_style(problems_of, right, wrong, place, message, help_line):
    assert TEXT.count(right) >= 1
    ((_, found, said, help_said),) = problems_of(TEXT.replace(right, wrong, 1))
    assert found == place
    assert message is ... or said.startswith(message)
    assert help_line is ... or help_said == help_line


def test_a_mistake_in_a_base_is_shown_in_the_base(problems_of, write):
    write("base.py", TEXT.replace("depth=50", "depht=50"))
    found = problems_of("_base_ = './base.py'\nmodel = dict(width='wide')\n", name="child.py")
    assert [(place, message) for _, place, message, _ in found] == [
        ("3:57", "Backbone has no parameter 'depht'"),
        ("2:14", "width is 'wide', but Net takes int"),
    ]


def test_new_style(problems_of):
    found = problems_of(
        """\
        from check_parts import Backbone, Net, Nothing

        model = dict(type=Net, backbone=dict(type=Backbone, depht=50), head=dict(type=Nothing))
        """
    )
    assert [(place, message) for _, place, message, _ in found] == [
        ("1:40", "check_parts.Nothing does not exist: check_parts has no 'Nothing'"),
        ("3:53", "Backbone has no parameter 'depht'"),
    ]


YAML = """\
custom_imports: {imports: [check_parts]}
model:
  type: Net
  backbone: {type: Backbone, depht: 50}
train_cfg:
  max_epochs: 3
  val_intervall: 1
train_dataloader:
  dataset: {type: Points}
  shuffle: true
optim_wrapper:
  optimizer: {type: SGD, lr: small}
"""


def test_yaml(problems_of, monkeypatch):
    monkeypatch.setattr("mainspring.names.gate._allowed", {"check_parts"})
    found = problems_of(YAML, name="config.yaml")
    assert [(place, message) for _, place, message, _ in found] == [
        ("4:30", "Backbone has no parameter 'depht'"),
        ("7:3", "EpochBasedTrainLoop has no parameter 'val_intervall'"),
        ("12:26", "lr is 'small', but SGD takes float | Tensor"),
    ]


def test_json(problems_of):
    found = problems_of(
        '{"model": {"type": "check_parts.Net",\n "backbone": {"type": "check_parts.Backbone",'
        ' "depht": 50}},\n "randomnes": {"seed": 1}}',
        name="config.json",
    )
    assert [(severity, place, message) for severity, place, message, _ in found] == [
        ("error", "2:47", "Backbone has no parameter 'depht'"),
        ("warning", "3:2", "randomnes is no section, so it has no effect on the run"),
    ]


@pytest.mark.parametrize("value", ["lambda x: x", "collate"])
def test_functions_that_no_file_can_hold_are_refused(problems_of, value):
    text = TEXT.replace("batch_size=4", f"collate_fn={value}")
    if value == "collate":
        text = "_base_ = []\ndef collate(items):\n    return items\n" + text
        place, shown = "10:5", "the local function collate"
    else:
        text = "_base_ = []\n" + text
        place, shown = "8:5", "a lambda"
    ((severity, found, message, help_line),) = problems_of(text)
    assert (severity, found) == ("error", place)
    assert message == f"collate_fn is {shown}, which cannot be saved with the run"
    assert help_line == "move it to a module and import it"


def test_a_scope_that_is_not_installed_is_said_once(problems_of):
    text = TEXT.replace("'Net'", "'Detector'") + "default_scope = 'mmdet'\n"
    found = problems_of(text)
    assert [(severity, message) for severity, _, message, _ in found] == [
        ("error", "the registry of models has no 'Detector'"),
        ("warning", "default_scope is 'mmdet', but nothing has that scope"),
    ]
    assert found[1][3] == "is mmdet installed? pip install mmdet"


def test_dicts_inside_of_a_model_may_lack_what_the_model_adds(problems_of):
    assert problems_of(TEXT.replace(", depth=50", "")) == []


def test_a_constructor_of_ones_own_reads_its_section_itself(problems_of):
    section = "optim_wrapper = dict(constructor='check_parts.Net', generator=dict(anything=1))"
    lines = [section if line.startswith("optim_wrapper") else line for line in TEXT.split("\n")]
    assert problems_of("\n".join(lines)) == []


def test_schedules_by_name_for_a_constructor_of_ones_own(problems_of):
    sections = """
optim_wrapper = dict(constructor='check_parts.Net', left=dict(anything=1))
param_scheduler = dict(
    left=[dict(type='LinearLR', end=5)], right=dict(type='StepLR', step_size=2, gamma=0.5)
)
"""
    replaced = ("optim_wrapper", "param_scheduler")
    lines = [line for line in TEXT.split("\n") if not line.startswith(replaced)]
    text = "\n".join(lines) + sections
    assert problems_of(text) == []
    (problem,) = problems_of(text.replace("gamma=", "gama="))
    assert "'gama'" in problem[2]
