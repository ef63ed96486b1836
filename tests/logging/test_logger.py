"""One line for each message: on the terminal of rank 0 for people, in a file in MMEngine's format."""

import logging
import logging.handlers
import re
import sys

import pytest

from mainspring.defaults import DEFAULTS
from mainspring.logging import IN_FILE, ON_TERMINAL, MMLogger, print_log

DATE_ON_TERMINAL = r"\d\d/\d\d \d\d:\d\d:\d\d"
DATE_IN_FILE = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"


def as_rank(monkeypatch, rank, world_size=4):
    module = sys.modules["mainspring.logging.logger"]
    monkeypatch.setattr(module, "get_rank", lambda: rank)
    monkeypatch.setattr(module, "get_world_size", lambda: world_size)


def test_a_terminal_shows_messages_with_their_level_unless_that_is_the_usual_one(tmp_path, capsys):
    logger = MMLogger.get_instance("run", log_file=str(tmp_path / "a.log"))
    logger.info("hello %s", "you")
    logger.warning("careful")
    logger.error("broken")
    MMLogger.get_instance("other", logger_name="mine").info("hello")
    assert re.fullmatch(
        r"hello you\nWARNING: careful\nERROR: broken \(test_logger\.py:\d+\)\nmine: hello\n",
        capsys.readouterr().out,
    )


def test_a_record_says_where_it_goes(tmp_path, capsys):
    file = tmp_path / "a.log"
    logger = MMLogger.get_instance("run", log_file=str(file))
    logger.info("of the machine", extra=IN_FILE)
    logger.info("of the run", extra=ON_TERMINAL)
    print_log("by name", "run", extra=IN_FILE)
    assert capsys.readouterr().out == "of the run\n"
    assert [line.rsplit(" - ", 1)[1] for line in file.read_text().splitlines()] == [
        "of the machine",
        "by name",
    ]


def test_under_mmengines_alias_the_terminal_shows_the_lines_of_the_file(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(DEFAULTS, "short_lines", False)
    file = tmp_path / "a.log"
    logger = MMLogger.get_instance("run", log_file=str(file))
    logger.info("hello %s", "you")
    logger.warning("careful")
    logger.error("broken")
    logger.debug("detail")
    logger.info("boilerplate", extra=IN_FILE)
    place = rf"{re.escape(__file__)} - test_under_mmengines_alias_the_terminal_shows_the_lines_of_the_file - \d+ - "
    for text, date in (
        (capsys.readouterr().out, DATE_ON_TERMINAL),
        (file.read_text(), DATE_IN_FILE),
    ):
        lines = text.splitlines()
        assert len(lines) == 4
        assert re.fullmatch(rf"{date} - mainspring - INFO - hello you", lines[0])
        assert re.fullmatch(rf"{date} - mainspring - WARNING - careful", lines[1])
        assert re.fullmatch(rf"{date} - mainspring - ERROR - {place}broken", lines[2])
    assert logger.log_file == str(file)


def test_levels_are_coloured_on_a_terminal_only(tmp_path, capsys, monkeypatch):
    file = tmp_path / "a.log"
    logger = MMLogger.get_instance("run", log_file=str(file))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    logger.warning("careful")
    assert "\x1b[1;33mWARNING\x1b[0m: careful" in capsys.readouterr().out
    assert "\x1b" not in file.read_text()


@pytest.mark.parametrize("on_terminal", [True, False])
def test_a_terminal_shows_lines_at_a_pace_that_can_be_read(
    tmp_path, capsys, monkeypatch, on_terminal
):
    file = tmp_path / "a.log"
    logger = MMLogger.get_instance("run", log_file=str(file))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: on_terminal, raising=False)
    clock = iter(range(10_000))
    monkeypatch.setattr(logging.time, "time", lambda: 1000.0 + next(clock) / 100)
    monkeypatch.setattr(logging.time, "time_ns", lambda: (100_000 + next(clock)) * 10**7)
    for step in range(60):
        logger.info(f"step {step}", extra={"one_of_many": True})
        if step == 42:
            logger.info("saving")
    logger.close()
    shown = capsys.readouterr().out.splitlines()
    written = [line.rsplit(" - ", 1)[1] for line in file.read_text().splitlines()]
    assert written == [
        *(f"step {n}" for n in range(43)),
        "saving",
        *(f"step {n}" for n in range(43, 60)),
    ]
    if not on_terminal:
        assert shown == written
        return
    # What came last is seen before what is said next, and at the end.
    assert shown[0] == "step 0"
    assert shown[shown.index("saving") - 1] == "step 42"
    assert shown[-1] == "step 59"
    assert 7 <= sum(line.startswith("step") for line in shown) <= 9
    assert sum(str(file) in line for line in shown) == 1


def test_an_exception_is_written_with_its_traceback(capsys):
    try:
        1 / 0
    except ZeroDivisionError:
        MMLogger.get_instance("run").exception("no")
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().out


def test_a_warning_is_shown_once(capsys):
    logger = MMLogger.get_instance("run")
    for _ in range(3):
        logger.warning("careful %d", 1)
        logger.info("again")
    logger.warning("careful %d", 2)
    out = capsys.readouterr().out
    assert out.count("careful 1") == 1
    assert out.count("careful 2") == 1
    assert out.count("again") == 3


def test_other_ranks_show_only_errors(tmp_path, capsys, monkeypatch):
    as_rank(monkeypatch, 2)
    logger = MMLogger.get_instance("run", log_file=str(tmp_path / "a.log"))
    logger.warning("careful")
    logger.error("broken")
    assert re.search(r"^ERROR: broken \(", capsys.readouterr().out.strip())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [dict(distributed=True), dict(log_level="DEBUG")])
@pytest.mark.parametrize("rank", [0, 3])
def test_every_rank_writes_a_file_if_asked_to(tmp_path, monkeypatch, options, rank):
    as_rank(monkeypatch, rank)
    monkeypatch.setenv("LOCAL_RANK", str(rank))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    logger = MMLogger.get_instance("run", log_file=str(tmp_path / "a.log"), **options)
    logger.info("hello")
    (file,) = tmp_path.iterdir()
    assert re.fullmatch(rf"a_.+@.+_device{rank}_rank{rank}\.log", file.name)
    assert logger.log_file == str(file)
    assert "hello" in file.read_text()


def test_a_single_process_needs_no_rank_in_the_name(tmp_path):
    MMLogger.get_instance("run", log_file=str(tmp_path / "a.log"), distributed=True)
    assert [file.name for file in tmp_path.iterdir()] == ["a.log"]


def test_changing_the_level_takes_effect(capsys):
    logger = MMLogger.get_instance("run", log_level="DEBUG")
    logger.debug("one")
    logger.setLevel("INFO")
    logger.debug("two")
    logger.setLevel("DEBUG")
    logger.debug("three")
    assert re.findall("one|two|three", capsys.readouterr().out) == ["one", "three"]


def test_nothing_reaches_the_root_logger(caplog):
    MMLogger.get_instance("run").warning("careful")
    assert caplog.records == []


def test_file_mode_and_handler(tmp_path):
    file = tmp_path / "a.log"
    file.write_text("before\n")
    MMLogger.get_instance("one", log_file=str(file), file_mode="a").info("x")
    assert file.read_text().startswith("before\n")
    cfg = dict(type="RotatingFileHandler", maxBytes=10, backupCount=1)
    logger = MMLogger.get_instance("two", log_file=str(tmp_path / "b.log"), file_handler_cfg=cfg)
    assert any(isinstance(h, logging.handlers.RotatingFileHandler) for h in logger.handlers)
    assert cfg["type"] == "RotatingFileHandler"
    with pytest.raises(ValueError, match=r"'Nope'(?s:.*)TimedRotatingFileHandler"):
        MMLogger("three", log_file=str(file), file_handler_cfg=dict(type="Nope"))


def test_an_unknown_level_is_a_mistake():
    with pytest.raises(ValueError, match=r"'WARNIN'(?s:.*)did you mean 'WARNING'"):
        MMLogger.get_instance("run", log_level="WARNIN")


def test_a_released_logger_closes_its_file(tmp_path, capsys):
    logger = MMLogger.get_instance("run", log_file=str(tmp_path / "a.log"))
    MMLogger.release_instance("run")
    assert not MMLogger.check_instance_created("run")
    logger.info("still on the terminal")
    assert (tmp_path / "a.log").read_text() == ""
    assert "still on the terminal" in capsys.readouterr().out


def test_print_log_finds_its_logger(capsys):
    print_log("plain")
    assert capsys.readouterr().out == "plain\n"
    print_log("nothing", "silent")
    assert capsys.readouterr().out == ""
    print_log("to the current", "current", logging.WARNING)
    assert "WARNING: to the current" in capsys.readouterr().out
    logger = MMLogger.get_instance("run", logger_name="mine")
    print_log("by name", "run")
    print_log("by object", logger)
    assert capsys.readouterr().out.count("mine: by ") == 2
    with pytest.raises(ValueError, match="no logger named 'other'"):
        print_log("x", "other")
    with pytest.raises(TypeError, match="logger is a int"):
        print_log("x", 3)


@pytest.mark.parametrize(("on_cuda", "device"), [(True, "5"), (False, "1")])
def test_the_device_in_the_name_of_a_file_is_one_that_is_used(
    tmp_path, monkeypatch, on_cuda, device
):
    as_rank(monkeypatch, 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    monkeypatch.setattr("torch.cuda.is_available", lambda: on_cuda)
    logger = MMLogger.get_instance("run", log_file=str(tmp_path / "a.log"), distributed=True)
    assert logger.log_file.endswith(f"_device{device}_rank1.log")


def test_warnings_of_lower_packages_stand_in_the_log_of_the_run(tmp_path, capsys):
    from mainspring.registry import DefaultScope, init_default_scope

    file = tmp_path / "a.log"
    MMLogger.get_instance("run", log_file=str(file))
    for scope in ("some_project", "other", "some_project"):
        init_default_scope(scope)
    assert re.search("WARNING - .*'other'.*'some_project'", file.read_text())
    assert "'some_project'" in capsys.readouterr().out
    for name in list(DefaultScope._instance_dict):
        DefaultScope.release_instance(name)
