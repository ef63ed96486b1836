"""What a config says in two places, differently: mistake -> what is said."""

from __future__ import annotations

import pytest
from check_configs import RECORDED

from mainspring.check import check_config
from mainspring.config import Config

ACCURACY = "default_hooks = dict(checkpoint=CheckpointHook(save_best={!r}))"
BY_ITERATION = "train_cfg = dict(by_epoch=False, max_iters=100)"

MISTAKES = [
    # lengths
    ("train_cfg = dict(by_epoch=True, max_iters=3)", "error", "33", "train_cfg counts in epochs but has no max_epochs", "replace max_iters by max_epochs, or set by_epoch=False"),
    ("train_cfg = dict(by_epoch=True)", "error", "1", "train_cfg counts in epochs but has no max_epochs", "give max_epochs=..."),
    ("train_cfg = dict(max_epoch=3)", "error", "18", "EpochBasedTrainLoop has no parameter 'max_epoch'", "did you mean 'max_epochs'?"),
    ("train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3, by_epoch=True)", "error", "60", ..., ...),
    ("train_cfg = ByEpoch(max_epochs=12, val_interval=20)", "warning", "36", "val_interval is 20, so a run of 12 epochs validates only at its end", "give at most 12"),
    ("train_cfg = ByEpoch(max_epochs=12, val_begin=13)", "warning", "36", "val_begin is 13, so a run of 12 epochs never validates", "give at most 12"),
    # by_epoch said twice
    ("log_processor = dict(by_epoch=False)", "warning", "22", "log_processor says by_epoch=False, but train_cfg counts epochs", ...),
    # schedules
    ("param_scheduler = later(MultiStepLR)(milestones=[8, 12])", "warning", "38", "milestone 12 is never reached: the run has 12 epochs", "give milestones below 12"),
    ("param_scheduler = later(MultiStepLR)([8, 20, 30])", "warning", "38", "milestones 20 and 30 are never reached: the run has 12 epochs", ...),
    ("param_scheduler = later(MultiStepLR)([8, 11], end=10)", "warning", "38", "milestone 11 is never reached: the schedule ends at 10, of 12 epochs", ...),
    ("param_scheduler = later(CosineAnnealingLR)(T_max=10)", "warning", "44", "CosineAnnealingLR is over after 10 of 12 epochs, and turns back then", "say T_max=12, or leave it out"),
    ("param_scheduler = later(CosineAnnealingLR)(T_max=20)", "warning", "44", "CosineAnnealingLR reaches its end after 20 epochs, later than the run of 12 epochs", ...),
    ("param_scheduler = later(CosineAnnealingLR)(end=10)", "warning", "44", "CosineAnnealingLR ends at 10, but the run has 12 epochs: the value stays as it is from there on", ...),
    ("param_scheduler = later(LinearLR)(end=20)", "warning", "35", "LinearLR ends at 20, later than the run of 12 epochs", ...),
    ("param_scheduler = later(LinearLR)(begin=12)", "error", "35", "LinearLR acts from 12 to 12, which is no range", ...),
    # metrics
    (ACCURACY.format("acuracy"), "error", "48", "save_best is 'acuracy', but the evaluator gives accuracy", "did you mean 'accuracy'?"),
    (ACCURACY.format(["accuracy", "f1"]), "error", "48", "save_best is 'f1', but the evaluator gives accuracy", "say 'accuracy'"),
    ("custom_hooks = [EarlyStoppingHook('loss')]", "error", "35", "monitor is 'loss', but the evaluator gives accuracy", ...),
    # arguments that take effect only together with another one, or without it
    ("default_hooks = dict(checkpoint=CheckpointHook(max_keep_ckpts=3))", "warning", "48", "CheckpointHook: max_keep_ckpts has no effect without interval", ...),
    ("default_hooks = dict(checkpoint=CheckpointHook(save_begin=3))", "warning", "48", "CheckpointHook: save_begin has no effect without interval", ...),
    ("default_hooks = dict(checkpoint=CheckpointHook(less_keys=['rate']))", "warning", "48", "CheckpointHook: less_keys has no effect without save_best", ...),
    ("default_hooks = dict(checkpoint=CheckpointHook(save_best='accuracy', rule='greater', greater_keys=['acc']))", "warning", "86", "CheckpointHook: greater_keys has no effect beside rule", ...),
    ("default_hooks = dict(checkpoint=CheckpointHook(interval=1, save_last=False, published_keys='meta'))", "warning", "77", "CheckpointHook: published_keys has no effect without save_last or save_best", ...),
    ("default_hooks = dict(logger=dict(type='LoggerHook', keep_local=False))", "warning", "53", "LoggerHook: keep_local has no effect without out_dir", ...),
    ("default_hooks = dict(logger=dict(type='LoggerHook', out_suffix='.log'))", "warning", "53", "LoggerHook: out_suffix has no effect without out_dir", ...),
    ("default_hooks = dict(divergence=dict(type='DivergenceHook', max_rollbacks=2))", "warning", "61", 'DivergenceHook: max_rollbacks has no effect without policy="rollback"', ...),
    ("default_hooks = dict(divergence=dict(type='DivergenceHook', trace=True, interval=5))", "warning", "73", "DivergenceHook: interval has no effect beside trace", ...),
    # names of sections
    ("randomnes = dict(seed=1)", "warning", "1", "randomnes is no section, so it has no effect on the run", "did you mean 'randomness'?"),
    ("default_hooks = dict(chekpoint=CheckpointHook())", "warning", "22", "default_hooks has no hook 'chekpoint', so this one is added to the others", "did you mean 'checkpoint'?"),
    ("test_dataloader = DataLoader(Points(), shuffle=False)", "error", "1", "test_dataloader, test_cfg and test_evaluator come together, but test_cfg and test_evaluator are missing", "give all three, or leave out test_dataloader"),
    # files
    ("load_from = 'nowhere/epoch_3.pth'", "error", "1", "load_from is 'nowhere/epoch_3.pth', which does not exist", "there is no folder 'nowhere'"),
    ("model = Net(Backbone(50), head=dict(type='Pretrained', checkpoint='epoch_3.pth'))", "warning", "56", "checkpoint is 'epoch_3.pth', which does not exist", "did you mean 'epoch_30.pth'? (in .)"),
    ("load_from = '.'", "error", "1", "load_from is '.', which is a directory", ...),
    ("work_dir = 'epoch_30.pth'", "error", "1", "work_dir is 'epoch_30.pth', which is a file", "give a folder"),
    ("resume = 'epoch_3.pth'", "error", "1", "resume is 'epoch_3.pth', which does not exist", "did you mean 'epoch_30.pth'? (in .)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "severity", "column", "message", "help_line"),
    MISTAKES,
    ids=[row[0] for row in MISTAKES],
)
def test_a_contradiction_is_said(spoilt, write, line, severity, column, message, help_line):
    write("epoch_30.pth", "")
    (found,) = spoilt(line)
    assert found[:2] == (severity, column)
    assert message is ... or found[2] == message
    assert help_line is ... or found[3] == help_line


RIGHT = [
    "param_scheduler = [later(LinearLR)(end=500, by_epoch=False), later(CosineAnnealingLR)()]",
    "param_scheduler = [later(LinearLR)(end=2), later(CosineAnnealingLR)(begin=2, T_max=10)]",
    "param_scheduler = [later(CosineAnnealingLR)(end=6, T_max=6), later(LinearLR)(begin=6)]",
    "param_scheduler = later(MultiStepLR)([8, 11])",
    "param_scheduler = later(MultiStepLR)([8000, 11000], by_epoch=False)",
    "default_hooks = dict(checkpoint=CheckpointHook(interval=100, by_epoch=False))",
    ACCURACY.format("auto"),
    ACCURACY.format("accuracy"),
    "default_hooks = dict(checkpoint=CheckpointHook(interval=2, max_keep_ckpts=3, save_begin=3))",
    "default_hooks = dict(checkpoint=CheckpointHook(max_keep_ckpts=-1, published_keys='meta'))",
    "default_hooks = dict(divergence=dict(type='DivergenceHook', policy='rollback', max_rollbacks=2))",
    "load_from = 'https://somewhere/model.pth'",
    "load_from = 's3://bucket/model.pth'",
    "load_from = None",
    "resume = True",
    "max_epochs = 3",
    "train_pipeline = []",
]


@pytest.mark.parametrize("line", RIGHT)
def test_what_agrees_is_not_reported(spoilt, line):
    assert spoilt(line) == []


def replaced(*lines):
    text = RECORDED
    for line in lines:
        name = line.partition(" = ")[0]
        kept = [old for old in text.split("\n") if not old.startswith(f"{name} = ")]
        text = "\n".join([*kept, line])
    return text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "param_scheduler = later(LinearLR)(by_epoch=True, end=3)",
            "LinearLR counts epochs, but the run counts iterations and is one epoch to its schedulers",
        ),
        (
            "default_hooks = dict(checkpoint=CheckpointHook(by_epoch=True))",
            "CheckpointHook counts epochs, but the run counts iterations and is one epoch to its hooks",
        ),
        (
            "log_processor = dict(by_epoch=True)",
            "log_processor says by_epoch=True, but train_cfg counts iterations",
        ),
    ],
)
def test_epochs_in_a_run_of_iterations(problems_of, line, message):
    assert problems_of(replaced(BY_ITERATION)) == []
    ((severity, _, said, _),) = problems_of(replaced(BY_ITERATION, line))
    assert (severity, said) == ("warning", message)


def test_each_argument_without_effect_is_said_at_its_place(problems_of):
    hook = "default_hooks = dict(checkpoint=CheckpointHook(max_keep_ckpts=3, rule='less'))"
    found = problems_of(replaced(hook))
    assert sorted(message.split()[1] for _, _, message, _ in found) == ["max_keep_ckpts", "rule"]
    assert len({place for _, place, _, _ in found}) == 2


@pytest.mark.parametrize("argument", ["val_interval", "val_begin"])
def test_when_to_validate_needs_a_validation(problems_of, argument):
    lines = [line for line in RECORDED.split("\n") if not line.startswith(("val_", "train_cfg"))]
    text = "\n".join([*lines, f"train_cfg = dict(max_epochs=3, {argument}=2)"])
    ((severity, place, message, _),) = problems_of(text)
    assert (severity, place.partition(":")[2]) == ("warning", "32")
    assert message == f"{argument} has no effect: the run has no validation"


def test_a_best_checkpoint_needs_validation(problems_of):
    text = "\n".join(line for line in RECORDED.split("\n") if not line.startswith("val_"))
    ((severity, _, message, help_line),) = problems_of(text + ACCURACY.format("accuracy"))
    assert severity == "warning"
    assert message == "save_best has no effect: the run has no validation"
    assert help_line == "give val_dataloader and val_evaluator"


@pytest.mark.parametrize(
    ("evaluator", "names"),
    [
        ("Accuracy(topk=(1, 5))", {"accuracy/top1", "accuracy/top5"}),
        ("Accuracy(prefix='val')", {"val/accuracy"}),
        ("dict(type='Accuracy', topk=(1,))", {"accuracy/top1"}),
        ("dict(metrics=[dict(type='Accuracy'), Accuracy(prefix='b')])", {"accuracy", "b/accuracy"}),
        ("[Accuracy(), Accuracy(prefix='b')]", {"accuracy", "b/accuracy"}),
    ],
)
def test_metric_names_follow_from_the_arguments(problems_of, evaluator, names):
    lines = [f"val_evaluator = {evaluator}", ACCURACY.format("nothing_like_it")]
    ((_, _, message, _),) = problems_of(replaced(*lines))
    assert message.partition("gives ")[2] == " and ".join(sorted(names))


def test_metrics_of_ones_own_are_not_guessed(problems_of, write):
    assert (
        problems_of(replaced("val_evaluator = [Accuracy(), WithRest]", ACCURACY.format("my_acc")))
        == []
    )


def test_a_misspelt_section_that_is_needed_is_the_error(problems_of):
    ((severity, place, message, help_line),) = problems_of(
        RECORDED.replace("train_dataloader =", "train_dataloder =")
    )
    assert (severity, place) == ("error", "14:1")
    assert message == "train_dataloder is no section, so it has no effect on the run"
    assert help_line == "did you mean 'train_dataloader'?"


def test_a_config_without_model(problems_of):
    ((severity, _, message, _),) = problems_of(RECORDED.replace("model =", "network ="))
    assert (severity, message) == ("error", "the config has no 'model'")


VARIABLES = """
backbone = Backbone(depth=50)
model = Net(backbone=backbone)
rates = dict(lr=1e-3)
optim_wrapper = OptimWrapper(later(AdamW)(lr=rates["lr"]))
epochs = 12
train_cfg = ByEpoch(max_epochs=epochs)
"""


@pytest.mark.filterwarnings("ignore:backbone.depth changes")
def test_changes_of_variables_that_the_file_has_used(write):
    left_out = ("model =", "optim_wrapper =", "train_cfg =")
    lines = [line for line in RECORDED.splitlines() if not line.startswith(left_out)]
    write("config.py", "\n".join(lines) + VARIABLES)
    cfg = Config.fromfile("config.py", overrides=["epochs=6", "backbone.depth=18", "rates.lr=0.1"])
    ((place, message),) = [(str(p.location), p.message) for p in check_config(cfg)]
    assert place == "command line: rates.lr=0.1"
    assert message.startswith("rates.lr has no effect here: config.py:")

    cfg = Config.fromfile("config.py")
    cfg.merge_from_dict({"epochs": 6, "epoch": 7, "flag": True, "train_cfg.max_epochs": 3})
    epochs, epoch = check_config(cfg)
    assert "epochs has no effect here: config.py:" in epochs.message
    assert (epoch.message, epoch.help) == (
        "epoch has no effect: nothing reads it",
        "did you mean 'epochs'?",
    )
