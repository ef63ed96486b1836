"""Changes in words of a command line: the grammar, and what is said when a path is not there."""

from __future__ import annotations

import sys

import pytest
from torch import nn

from mainspring.config import Config
from mainspring.config.override import parse_override
from mainspring.errors import ConfigError
from mainspring.registry import MODELS

FILE = """
from zoo import Net
from mainspring.config import later

epochs = 12
half = epochs // 2
size = (224, 224)
model = Net(16, act="relu", stages=[dict(depth=1), dict(depth=2)])
hooks = [dict(type="A", interval=1)]
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
train_cfg = dict(max_epochs=epochs)
"""


@pytest.fixture(autouse=True)
def files(write, folder, monkeypatch):
    write(
        "zoo.py",
        "class Net:\n    def __init__(self, width, act='gelu', dropout=0.0, stages=()): pass\n",
    )
    write("run.py", FILE)
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("zoo", None)


def load(*words):
    return Config.fromfile("run.py", overrides=words)


@pytest.mark.parametrize(
    ("word", "path", "value"),
    [
        ("epochs=24", "epochs", 24),
        ("size=(32,32)", "size", (32, 32)),
        ("model.act=tanh", "model.act", "tanh"),
        ("model.stages.1.depth=7", "model.stages", [{"depth": 1}, {"depth": 7}]),
        ("model.width=64", "model.width", 64),  # given by position in the file
        ("model.dropout=0.5", "model.dropout", 0.5),  # a parameter that the file does not give
        ("hooks.0.interval=5", "hooks", [{"type": "A", "interval": 5}]),
        ("hooks+={'type': 'B'}", "hooks", [{"type": "A", "interval": 1}, {"type": "B"}]),
        ("custom_hooks+={'type': 'B'}", "custom_hooks", [{"type": "B"}]),
        ("hooks+=[1,2]", "hooks", [{"type": "A", "interval": 1}, 1, 2]),
        ("optim_wrapper.optimizer={'type': 'Adam'}", "optim_wrapper.optimizer", {"type": "Adam"}),
        ("+optim_wrapper.optimizer.momentum=0.9", "optim_wrapper.optimizer.momentum", 0.9),
        ("+new.part.x=1", "new.part.x", 1),
        ("train_cfg.val_interval=2", "train_cfg.val_interval", 2),  # known, though not written
        ("randomness.seed=3", "randomness.seed", 3),
        ("resume=true", "resume", True),
        ("load_from=None", "load_from", None),
        ("model.act=a=b", "model.act", "a=b"),
        ("model.act=", "model.act", ""),
    ],
)
def test_a_word_changes_one_value(word, path, value):
    found = load(word)
    for part in path.split("."):
        found = found[part]
    assert found == value


def test_removing():
    cfg = load("~hooks", "~optim_wrapper.optimizer.lr", "~model.stages.0")
    assert "hooks" not in cfg
    assert cfg.optim_wrapper == {"optimizer": {"type": "SGD"}}
    assert cfg.model.stages == [{"depth": 2}]


def test_a_variable_takes_effect_where_it_is_assigned():
    cfg = load("epochs=100")
    assert (cfg.half, cfg.train_cfg.max_epochs) == (50, 100)


def test_later_words_win_and_what_they_replace_is_said():
    with pytest.warns(UserWarning, match=r"epochs=1 has no effect: epochs=2 follows"):
        assert load("epochs=1", "epochs=2").train_cfg.max_epochs == 2
    with pytest.warns(UserWarning, match=r"model.act=a has no effect: model.act=b follows"):
        assert load("model.act=a", "model.act=b").model.act == "b"
    with pytest.warns(UserWarning, match=r"optimizer.lr=1 has no effect: ~optim_wrapper follows"):
        load("optim_wrapper.optimizer.lr=1", "~optim_wrapper")
    # Each of these says something, and none says a word.
    load("epochs=2", "epochs=2", "hooks+=1", "hooks+=1", "model.act=b", "model.dropout=1")
    load("~optim_wrapper", "+optim_wrapper.x=1")


def test_the_place_of_what_the_command_line_set_is_no_file():
    cfg = load("model.act=tanh")
    assert cfg.locate("model.act") is None
    assert cfg.locate("epochs").line == 5


@pytest.mark.parametrize(
    ("word", "message", "help_line"),
    [
        ("epoch=3", "the config has no 'epoch'", "did you mean 'epochs'? +epoch=3 sets it"),
        ("model.widht=3", "model has no 'widht'", "did you mean 'width'?"),
        ("modle.width=3", "the config has no 'modle'", "did you mean 'model'?"),
        ("model.xyz=3", "model has no 'xyz'", "it has type, width, act, stages, dropout"),
        (
            "optim_wrapper.optimizer.momentm=3",
            "optim_wrapper.optimizer has no 'momentm'",
            "+optim_wrapper.optimizer.momentm=3 sets it all the same",
        ),
        ("device=cuda", "the config has no 'device'", "--device of the command line"),
        ("width=3", "the config has no 'width'", "did you mean 'model.width'?"),
        ("hooks.5.interval=3", "hooks has 1 items, so there is no '5' in it", "hooks+=... appends"),
        ("epochs.x=3", "epochs is 12, so it has no 'x'", "epochs=..."),
        ("epochs+=3", "epochs is 12, no list", "set it: epochs=..."),
        ("~nothing", "the config has no 'nothing'", None),
        ("a b=3", "'a b=3' is no change of the config", "write key=value"),
        ("=3", "'=3' is no change of the config", "write key=value"),
        ("hooks={'a'", "is no dict", "quotes included"),
        ("hooks=[1", "brackets do not match", "[a,b]"),
    ],
)
def test_a_path_that_is_not_there_is_an_error_with_the_nearest(word, message, help_line):
    with pytest.raises(ConfigError) as error:
        load(word)
    assert message in error.value.message
    assert help_line is None or help_line in error.value.help


def test_an_unknown_argument_of_a_recorded_call_has_its_place():
    with pytest.raises(ConfigError) as error:
        load("model.widht=3")
    assert str(error.value.location) == "run.py:8:9"


def test_changes_after_reading():
    cfg = load()
    cfg.override(["model.act=tanh", "hooks+={'type': 'B'}"])
    assert cfg.model.act == "tanh"
    assert len(cfg.hooks) == 2
    assert cfg.overrides == ("model.act=tanh", "hooks+={'type': 'B'}")


def test_mmengines_options_add_what_is_not_there():
    cfg = load()
    cfg.merge_from_dict({"optim_wrapper.optimizer.momentum": 0.9, "new.x": 1})
    assert cfg.optim_wrapper.optimizer.momentum == 0.9
    assert cfg.new == {"x": 1}


def test_a_change_is_remembered_as_it_was_written():
    assert parse_override("a.b+=[1]").written == "a.b+=[1]"


def test_reading_variables_imports_nothing():
    load("epochs=3")
    assert "zoo" not in sys.modules


def test_a_number_is_a_positional_argument():
    words = ["net=@torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU())"]
    words = [f"+{words[0]}", "net.0.out_features=8", "net.1=@torch.nn.GELU()"]
    cfg = load(*words)
    net = MODELS.build(cfg.net)
    assert net[0].out_features == 8
    assert type(net[1]) is nn.GELU
    assert str(cfg.nearest_place("net.0.out_features")).startswith("command line: net.0")
    assert "ReLU" not in str(load(*words[:2], "~net.1").net)


def test_numbers_and_keys_with_dots_are_found_as_places_are():
    words = ["+net=@torch.nn.Linear(2, 4)", "+rules={'keys': {'body.layer': {'lr': 1}}}"]
    cfg = load(*words, "net.0=3", "rules.keys.body.layer.lr=0.5")
    assert MODELS.build(cfg.net).weight.shape == (4, 3)
    assert cfg.rules == {"keys": {"body.layer": {"lr": 0.5}}}
