"""Searches: Optuna proposes runs, prunes them, and goes on where it stopped."""

from __future__ import annotations

import importlib.util

import pytest

from mainspring.errors import ConfigError, MetricError
from mainspring.tools.sweeps import Metric, Processes, Search, axis_of_word, check_optuna, ranked

ACCURACY = Metric("accuracy", maximize=True)
TEXT = """
lr = loguniform(1e-4, 1e-1)
width = choice(16, 32)
model = A(rate=uniform(0, 0.5), lr=lr, double=width * 2)
"""
TRAIN = """
lr, width, rate = float(words["lr"]), int(words["width"]), float(words["model.rate"])
write(1, accuracy=width + rate)
"""


@pytest.fixture
def search(tmp_path):
    def make(load, *, trials=3, prune=False, seed=0, given=(), lines=None, metric=ACCURACY):
        return Search(
            load,
            [],
            given,
            tmp_path / "sweep",
            metric,
            trials=trials,
            prune=prune,
            seed=seed,
            report=(lines if lines is not None else []).append,
        )

    return make


def go(search, command, jobs=1):
    Processes(command, jobs).run(search.waiting(), search)
    return search.runs


def test_a_search_draws_from_ranges_and_choices(load, search, script, tmp_path):
    runs = go(search(load(TEXT)), script(TRAIN), jobs=2)
    assert [run.record.status for run in runs] == ["finished"] * 3
    for run in runs:
        values = {name: choice.value for name, choice in run.choices.items()}
        assert 1e-4 <= values["lr"] <= 1e-1
        assert values["width"] in (16, 32)
        assert 0 <= values["model.rate"] <= 0.5
        assert run.record.best == pytest.approx(values["width"] + values["model.rate"])
    assert [run.folder.name[:8] for run in runs] == ["0000,lr=", "0001,lr=", "0002,lr="]


def test_a_seed_makes_a_search_repeatable(load, search, script, tmp_path):
    first = [run.words for run in go(search(load(TEXT)), script(TRAIN))]
    (tmp_path / "sweep" / "study.log").unlink()
    assert [run.words for run in go(search(load(TEXT)), script(TRAIN))] == first


def test_a_search_goes_on_where_it_stopped(load, search, script):
    command, loader = script(TRAIN), load(TEXT)
    first = go(search(loader, trials=2), command)
    lines = []
    runs = go(search(loader, trials=3, lines=lines), command)
    assert len(runs) == 3
    assert [run.record.best for run in runs[:2]] == [run.record.best for run in first]
    assert [list(run.choices) for run in runs] == [["lr", "width", "model.rate"]] * 3
    assert len({run.folder for run in runs}) == 3
    assert lines[0].startswith("[3/3]")


def test_a_search_with_a_seed_that_goes_on_draws_anew(load, search, script):
    command, loader = script(TRAIN), load(TEXT)
    go(search(loader, trials=2, seed=1), command)
    runs = go(search(loader, trials=4, seed=1), command)
    assert len({run.choices["lr"].value for run in runs}) == 4


def test_a_run_that_falls_behind_is_stopped(load, search, script):
    command = script(
        "first = os.path.basename(folder).startswith('0000')\n"
        "write(1, accuracy=0.9 if first else 0.1)\n"
        "time.sleep(0 if first else 60)\n"
    )
    runs = go(search(load("lr = uniform(0, 1)\n"), prune=True), command)
    assert [run.record.status for run in runs] == ["finished", "pruned", "pruned"]
    assert ranked(runs, ACCURACY)[0] is runs[0]


def test_an_interrupted_run_is_proposed_again(load, search, script):
    begun = search(load("lr = uniform(0, 1)\n"))
    run = next(begun.waiting())
    run.begin()
    begun.ended(run, "interrupted", -2)
    runs = go(search(load("lr = uniform(0, 1)\n"), trials=2), script("write(1, accuracy=1)"))
    assert runs[0].words == run.words
    assert len(runs) == 2


def test_a_killed_search_proposes_its_runs_again(load, search, script):
    begun = search(load("lr = uniform(0, 1)\n"))
    run = next(begun.waiting())
    run.begin()
    for _ in range(2):
        runs = go(search(load("lr = uniform(0, 1)\n"), trials=1), script("write(1, accuracy=1)"))
        assert [each.words for each in runs] == [run.words]


def test_failed_runs_count(load, search, script):
    runs = go(search(load("lr = uniform(0, 1)\n"), trials=2), script("sys.exit(3)"))
    assert [run.record.exit_code for run in runs] == [3, 3]
    again = go(search(load("lr = uniform(0, 1)\n"), trials=2), script("sys.exit(3)"))
    assert len(again) == 2


def test_the_command_line_gives_ranges(load, search, script):
    given = [axis_of_word("lr=loguniform(1e-3,1e-2)")]
    runs = go(search(load("lr = 1\n"), trials=1, given=given), script("write(1, accuracy=1)"))
    assert 1e-3 <= runs[0].choices["lr"].value <= 1e-2


def test_a_metric_that_nobody_measures_ends_the_search(load, search, script):
    with pytest.raises(MetricError, match="'accuracy'") as caught:
        go(search(load("lr = uniform(0, 1)\n")), script("write(1, acuracy=1)"))
    assert "acuracy" in caught.value.help


def test_nothing_to_search_is_refused(load, search):
    with pytest.raises(ConfigError, match="nothing to search"):
        next(search(load("lr = 1\n")).waiting())


def test_another_aim_is_refused(load, search):
    search(load("lr = uniform(0, 1)\n"))
    with pytest.raises(ConfigError, match=r"maximize accuracy, not to minimize loss"):
        search(load("lr = uniform(0, 1)\n"), metric=Metric("loss", maximize=False))


def test_without_optuna_the_error_names_the_extra(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "optuna" else find(name)
    )
    with pytest.raises(ConfigError, match="Optuna") as caught:
        check_optuna()
    assert caught.value.help == "pip install 'mainspring[search]'"
