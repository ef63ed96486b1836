"""`mainspring ckpt diff`: where two checkpoints differ, and by how much."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest
import torch

from mainspring.checkpoint import compare_checkpoints, save_checkpoint
from mainspring.checkpoint.differences import compare
from mainspring.cli.main import main
from mainspring.logging import HistoryBuffer

CONTENT = {
    "meta": {"epoch": 2, "iter": 40, "cfg": "a = 1\nb = 2\n"},
    "state_dict": {
        "small": torch.tensor([1.0, 2.0, 4.0]),
        "large": torch.tensor([[100.0, 200.0]]),
        "counter": torch.tensor(3),
    },
    "optimizer": {
        "state": {0: {"exp_avg": torch.zeros(3), "step": torch.tensor(1.0)}},
        "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}],
    },
    "message_hub": {"log_scalars": {"loss": {"values": torch.ones(4)}}},
}


@pytest.fixture
def save(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint(CONTENT, "a.pth")

    def saved(**changes):
        """b.pth, with entries replaced: `section__key=value`; None removes."""
        content = copy.deepcopy(CONTENT)
        for name, value in changes.items():
            section, key = name.split("__")
            if value is None:
                del content[section][key]
            else:
                content[section][key] = value
        save_checkpoint(content, "b.pth")

    return saved


def diff(*words):
    """The exit code, whichever way it comes."""
    try:
        return main(["ckpt", "diff", *words])
    except SystemExit as end:
        return end.code


def test_equal_files(save, capsys):
    save()
    assert diff("a.pth", "b.pth") == 0
    assert capsys.readouterr().out.splitlines() == [
        "weights: equal (3 values)",
        "meta: equal (3 values)",
        "message_hub: equal (1 values)",
        "optimizer: equal (5 values)",
    ]


def test_weights_by_the_size_of_their_difference(save, capsys):
    save(
        state_dict__small=torch.tensor([1.0, 2.0, 4.5]),
        state_dict__large=torch.tensor([[101.0, 198.0]]),
    )
    assert diff("a.pth", "b.pth", "--weights") == 1
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == ["A: a.pth", "B: b.pth", "weights: 2 of 3 values differ"]
    assert out[4].split() == ["large", "2", "0.01", "2", "of", "float32", "(1,", "2)"]
    assert out[5].split() == ["small", "0.5", "0.125", "1", "of", "float32", "(3,)"]
    assert diff("a.pth", "b.pth", "--weights", "--top", "1") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "  and 1 more: --top 2 shows all"


def test_names_shapes_and_types(save, capsys):
    save(
        state_dict__small=torch.ones(4),
        state_dict__counter=torch.tensor(3.0),
        state_dict__large=None,
        state_dict__new=torch.ones(1),
    )
    assert diff("a.pth", "b.pth", "--weights") == 1
    out = capsys.readouterr().out
    assert "weights: 2 of 2 values differ, 1 only in A, 1 only in B\n" in out
    assert "  only in A: large\n  only in B: new\n" in out
    assert "  small    float32 (3,) -> float32 (4,)\n" in out
    assert "0 of int64 () -> float32 ()\n" in out


def test_the_rest_in_short(save, capsys):
    state = copy.deepcopy(CONTENT["optimizer"]["state"])
    state[0]["exp_avg"][1] = 0.25
    save(meta__iter=41, meta__cfg="a = 2\n", optimizer__state=state, message_hub__log_scalars={})
    assert diff("a.pth", "b.pth") == 1
    out = capsys.readouterr().out.splitlines()
    assert out[2:] == [
        "weights: equal (3 values)",
        "meta: 2 of 3 values differ",
        "  cfg: text of 2 lines -> text of 1 lines",
        "  iter: 40 -> 41",
        "message_hub: 1 only in A",
        "optimizer: 1 of 5 values differ; largest difference 0.25 at state.0.exp_avg",
    ]
    assert diff("a.pth", "b.pth", "--weights") == 0


def test_json(save, capsys):
    save(
        state_dict__small=torch.tensor([1.0, math.nan, 4.0]),
        state_dict__large=torch.tensor([[math.inf, 200.0]]),
        meta__iter=None,
    )
    assert diff("a.pth", "b.pth", "--format", "json") == 1
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert not found["equal"]
    assert found["meta"]["only_a"] == ["iter"]
    small, large = found["state_dict"]["different"]
    assert (small["path"], small["max_abs"], small["count"]) == ("small", None, 1)
    assert (large["path"], large["max_abs"], large["relative"]) == ("large", None, None)
    save()
    assert diff("a.pth", "b.pth", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["equal"]


@pytest.mark.parametrize(
    ("left", "right", "largest"),
    [
        (torch.tensor([math.nan, 1.0]), torch.tensor([math.nan, 1.0]), None),
        (torch.tensor([math.inf]), torch.tensor([math.inf]), None),
        (torch.tensor([1 + 2j]), torch.tensor([1 + 1j]), 1.0),
        (torch.tensor([True, False]), torch.tensor([True, True]), 1.0),
        (torch.ones(3).to_sparse(), torch.ones(3).to_sparse() * 2, 1.0),
        (torch.ones(0), torch.ones(0), None),
        (torch.tensor([0.0]), torch.tensor([-0.0]), None),
        (math.nan, math.nan, None),
        (1, 1.0, None),
        (np.float64(0.5), 0.5, None),
        (np.ones(2), [1.0, 1.0], None),
        (3, 5, 2.0),
        (HistoryBuffer([1.0], [1]), HistoryBuffer([1.5], [1]), 0.5),
    ],
)
def test_values_of_every_kind(left, right, largest):
    found = compare({"x": left}, {"x": right}).different
    assert [each.largest for each in found] == ([] if largest is None else [largest])


def test_a_value_of_another_kind_is_a_difference():
    for left, right in [(True, 1), ("1", 1), (torch.ones(()), 1.0), (None, 0)]:
        found = compare({"x": left}, {"x": right}).different
        assert [each.largest for each in found] == [None]


def test_a_plain_state_dict_is_compared_with_the_weights():
    found = compare_checkpoints(CONTENT["state_dict"], CONTENT)
    assert found["state_dict"].are_equal
    assert found["meta"].only_right == ("epoch", "iter", "cfg")


def test_wrong_options(save, capsys):
    save()
    with pytest.raises(SystemExit) as end:
        main(["ckpt", "diff", "a.pth", "b.pth", "--top", "-1"])
    assert end.value.code == 2
    assert "-1 is negative" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["ckpt", "diff", "a.pth", "b.pth", "--top", "all"])
    assert end.value.code == 2
    assert "argument --top: 'all' is no whole number" in capsys.readouterr().err
