"""Names that mean nothing and arguments that a signature refuses: mistake -> what is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_configs import RECORDED

from mainspring.check import Problem, check_config
from mainspring.config import Config
from mainspring.errors import Location


def test_nothing_is_wrong_with_a_right_config(problems_of):
    assert problems_of(RECORDED) == []


MISTAKES = [
    # unknown names, at the keyword
    (
        "model = Net(backbone=Backbone(depht=50))",
        ("error", "31", "Backbone has no parameter 'depht'", "did you mean 'depth'?"),
    ),
    (
        "model = Plain(Backbone(3), widht=2)",
        ("error", "28", "Plain has no parameter 'widht'", "did you mean 'width'?"),
    ),
    (
        "model = Plain(Head(3), zzz=2)",
        ("error", "24", "Plain has no parameter 'zzz'", "it has backbone, width"),
    ),
    (
        "optim_wrapper = OptimWrapper(later(AdamW)(lr=1e-3, weight_decy=0.1))",
        ("error", "52", "AdamW has no parameter 'weight_decy'", "did you mean 'weight_decay'?"),
    ),
    (
        "train_dataloader = DataLoader(Points('train'), batch_sise=4, shuffle=True)",
        ("error", "48", "DataLoader has no parameter 'batch_sise'", "did you mean 'batch_size'?"),
    ),
    (
        "val_evaluator = [Accuracy(top=1)]",
        ("error", "27", "Accuracy has no parameter 'top'", "did you mean 'topk'?"),
    ),
    (
        "default_hooks = dict(checkpoint=CheckpointHook(save_bst='accuracy'))",
        ("error", "48", "CheckpointHook has no parameter 'save_bst'", "did you mean 'save_best'?"),
    ),
    (
        "default_hooks = dict(checkpoint=CheckpointHook(create_symlink=True))",
        ("warning", "48", "CheckpointHook has no parameter 'create_symlink'", ...),
    ),
    # what YAML reads as a string
    (
        "optim_wrapper = OptimWrapper(later(AdamW)(lr='1e-3'))",
        ("error", "43", "lr is '1e-3', but AdamW takes float | Tensor", None),
    ),
    # through **kwargs to a base class
    (
        "model = Plain(WithRest(clases=3))",
        ("error", "24", "WithRest has no parameter 'clases'", "did you mean 'classes'?"),
    ),
    (
        "model = Plain(WithRest(unheard=3))",
        ("warning", "24", "WithRest has no parameter 'unheard'", ...),
    ),
    # missing ones, at the call
    ("model = Plain(Head())", ("error", "15", "Head also needs 'channels'", ...)),
    (
        "custom_hooks = [EarlyStoppingHook()]",
        ("error", "17", "EarlyStoppingHook also needs 'monitor'", None),
    ),
    (
        "custom_hooks = [EarlyStoppingHook]",
        ("error", "17", "EarlyStoppingHook also needs 'monitor'", None),
    ),
    ("model = Head", ("error", "1", "Head also needs 'channels'", None)),
    (
        "param_scheduler = later(MultiStepLR)(gamma=0.1)",
        ("error", "19", "MultiStepLR also needs 'milestones'", None),
    ),
    # positional ones
    (
        "model = Plain(Head(1, 2, 3))",
        ("error", "15", "Head takes 2 positional arguments, but 3 are given", ...),
    ),
    (
        "model = Plain(Head(1, channels=3))",
        ("error", "15", "Head gets 'channels' twice, by position and by name", None),
    ),
    # `later`
    (
        "optim_wrapper = OptimWrapper(AdamW(lr=1e-3))",
        (
            "warning",
            "30",
            "AdamW is called without 'params', which is added later",
            "write later(AdamW)(...)",
        ),
    ),
    (
        "param_scheduler = LinearLR(start_factor=0.1)",
        (
            "warning",
            "19",
            "LinearLR is called without 'optimizer', which is added later",
            "write later(LinearLR)(...)",
        ),
    ),
    # annotations
    (
        "model = Plain(Backbone(depth='50'))",
        ("error", "24", "depth is '50', but Backbone takes int", None),
    ),
    (
        "model = Plain(Backbone('50'))",
        ("error", "24", "depth is '50', but Backbone takes int", None),
    ),
    (
        "model = Plain(Backbone(50, style='pytorh'))",
        (
            "error",
            "28",
            "style is 'pytorh', but Backbone takes 'pytorch' | 'caffe'",
            "did you mean 'pytorch'?",
        ),
    ),
    (
        "model = Plain(Backbone(50, strides=[1, 'two']))",
        ("error", "28", "strides is [1, 'two'], but Backbone takes Sequence[int]", None),
    ),
    (
        "model = Plain(Backbone(50, dropout='0.1'))",
        ("error", "28", "dropout is '0.1', but Backbone takes float | None", None),
    ),
    (
        "model = Plain(Backbone(depth=Head(1)))",
        ("error", "24", "depth is Head(...), but Backbone takes int", None),
    ),
    (
        "train_dataloader = DataLoader(Points('train'), batchsize=2, batch_size=4)",
        ("error", "48", "DataLoader has no parameter 'batchsize'", "did you mean 'batch_size'?"),
    ),
    (
        "default_hooks = dict(checkpoint=CheckpointHook(intervall=2))",
        ("error", "48", "CheckpointHook has no parameter 'intervall'", "did you mean 'interval'?"),
    ),
    (
        "custom_hooks = [dict(type='EMAHook', momentm=0.1)]",
        (
            "error",
            "38",
            "ExponentialMovingAverage has no argument 'momentm'",
            "did you mean 'momentum'?",
        ),
    ),
    (
        "custom_hooks = [dict(type='check_parts.CarelessHook')]",
        (
            "error",
            "17",
            (
                "CarelessHook.before_train_iter(runner) cannot be called at its hook point: "
                "got an unexpected keyword argument 'batch_idx'"
            ),
            "expected: before_train_iter(self, runner, batch_idx, data_batch)",
        ),
    ),
    # sections that the engine reads itself
    (
        "randomness = dict(sead=1)",
        ("error", "19", "randomness has no setting 'sead'", "did you mean 'seed'?"),
    ),
    (
        "env_cfg = dict(cudnn_bench=True)",
        ("error", "16", "env_cfg has no setting 'cudnn_bench'", "did you mean 'cudnn_benchmark'?"),
    ),
]


@pytest.mark.parametrize(("line", "expected"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_said_with_its_place_and_what_to_do(spoilt, line, expected):
    ((severity, column, message, help_line),) = spoilt(line)
    assert (severity, column, message) == expected[:3]
    if expected[3] is not ...:
        assert help_line == expected[3]


RIGHT = [
    "model = Net(Backbone(50), head=Head)",
    "model = Plain(Backbone(50, dropout=1, strides=(1, 2), act=nn.GELU, norm=dict(eps=1)))",
    "model = Plain(Backbone(50, dropout=None, frozen=1))",
    "model = Net(Backbone(style='caffe'))",  # what takes a dict may add the depth
    "model = Net(dict(type='Backbone'))",
    "train_dataloader = DataLoader(Points(pipeline=[Resize((3, 4))]), sampler=later(DefaultSampler)(shuffle=True))",
    "train_dataloader = DataLoader(dict(type='Points'), shuffle=True)",
    "param_scheduler = [later(LinearLR)(end=3), later(MultiStepLR)([3, 9])]",
    "val_evaluator = dict(type='Accuracy', topk=(1, 2))",
    "val_evaluator = 'Accuracy'",
    "default_hooks = dict(checkpoint=None, timer=dict(type='IterTimerHook'))",
    "custom_hooks = [dict(type='EMAHook', priority=49)]",
    "log_processor = dict(window_size=5)",
    "helper = 3",
    "unused = Head",
]


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_right_is_not_reported(spoilt, line):
    assert spoilt(line) == []


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(problems_of):
    text = RECORDED.replace("depth=50", "depht=50").replace("batch_size", "batch_sise")
    found = problems_of(text.replace("lr=1e-3", "lr='x'"))
    assert [place.partition(":")[0] for _, place, _, _ in found] == ["13", "14", "15", "17"]


def test_names_that_do_not_exist_are_shown_where_they_are_imported(problems_of):
    text = RECORDED.replace("Backbone, Head", "Bakbone, Head").replace("=Backbone(", "=Bakbone(")
    ((severity, place, message, help_line),) = problems_of(text)
    assert (severity, place) == ("error", "2:25")
    assert message == "check_parts.Bakbone does not exist: check_parts has no 'Bakbone'"
    assert help_line == "did you mean 'Backbone'?"


def test_attributes_that_do_not_exist_are_shown_where_they_are_used(spoilt):
    found = spoilt("model = Plain(Backbone(50, act=nn.GELUU))")
    assert found == [
        (
            "error",
            "28",
            "torch.nn.GELUU does not exist: torch.nn has no 'GELUU'",
            "did you mean 'GELU'?",
        )
    ]


def test_modules_that_do_not_exist(problems_of):
    text = RECORDED.replace("from torch.optim import", "from torch.optm import")
    ((_, place, message, help_line),) = problems_of(text)
    assert place == "3:24"
    assert message == "torch.optm.AdamW does not exist: torch has no 'optm'"
    assert "'optim'" in help_line
    text = RECORDED.replace("from torch.optim import", "from nosuchpackage.optim import")
    ((_, _, message, help_line),) = problems_of(text)
    assert message.endswith("there is no module 'nosuchpackage'")
    assert help_line.startswith("install nosuchpackage")


def test_a_module_beside_a_base_in_another_folder_is_named(write):
    Path("parts").mkdir()
    write("parts/ms_own_parts.py", "class Net:\n    pass\n")
    write("parts/base.py", "from ms_own_parts import Net\nmodel = Net()\n")
    write(
        "run.py",
        "from mainspring.config import read_base\nwith read_base():\n"
        "    from .parts.base import *\n",
    )
    (problem,) = check_config(Config.fromfile("run.py"))
    assert (problem.location.file, problem.location.line) == ("parts/base.py", 1)
    assert problem.help.startswith("ms_own_parts lies in parts, which is not searched")
    assert problem.help.endswith("set PYTHONPATH=parts")


def test_a_module_that_fails_on_import_is_reported_not_raised(problems_of, write, monkeypatch):
    write("check_broken.py", "raise RuntimeError('no licence')")
    monkeypatch.syspath_prepend(".")
    text = RECORDED.replace("from torch.optim import", "from check_broken import")
    ((severity, place, message, help_line),) = problems_of(text)
    assert (severity, place) == ("error", "3:26")
    assert message == (
        "check_broken.AdamW cannot be imported: RuntimeError: no licence (check_broken.py:1)"
    )
    assert help_line == "mend that import first"


def test_the_same_mistake_under_two_names_is_said_once(problems_of):
    text = RECORDED.replace('Points("val")', 'Points(splt="val")')
    text += "test_dataloader = val_dataloader\ntest_evaluator = Accuracy()\n"
    assert len(problems_of(text)) == 1


def test_what_the_run_does_not_use_is_a_warning(spoilt):
    assert spoilt("spare = Head(chanels=3)") == [
        ("warning", "14", "Head has no parameter 'chanels'", "did you mean 'channels'?")
    ]


def test_a_mistake_on_the_command_line_has_its_word_as_place(problems_of, write):
    ((_, place, message, _),) = problems_of(RECORDED, overrides=["model.backbone.depth=deep"])
    assert (place, message) == (
        "command line: model.backbone.depth=deep",
        "depth is 'deep', but Backbone takes int",
    )


def test_an_edited_argument_is_shown_at_the_edit(problems_of):
    text = RECORDED + "from mainspring.config import edit\nedit(model).width = 'wide'\n"
    ((_, place, message, _),) = problems_of(text)
    assert message == "width is 'wide', but Net takes int"
    assert place == "20:13"


def test_a_problem_reads_as_an_error_does(problems_of, write):
    write("config.py", RECORDED.replace("depth=50", "depht=50"))
    (problem,) = check_config(Config.fromfile("config.py"))
    assert problem == Problem(
        "error",
        "Backbone has no parameter 'depht'",
        Location("config.py", 13, 31),
        "did you mean 'depth'?",
        "model.backbone.depht",
    )
    assert str(problem) == (
        "config.py:13:31: Backbone has no parameter 'depht'\n"
        "  at: model.backbone.depht\n"
        "  help: did you mean 'depth'?"
    )


def test_without_imports_nothing_is_imported(problems_of):
    text = RECORDED.replace("check_parts", "nosuchmodule") + "randomnes = dict(seed=1)\n"
    assert [message for _, _, message, _ in problems_of(text, imports=False)] == [
        "randomnes is no section, so it has no effect on the run"
    ]
