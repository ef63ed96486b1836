"""A run's own files: scalars.json, config.py and images."""

import json
import signal
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mainspring.config import Config
from mainspring.visualization import LocalVisBackend, Visualizer
from mainspring.visualization.images import write_png
from prepared_processes import Popen


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def backend(tmp_path):
    backend = LocalVisBackend(str(tmp_path / "vis_data"))
    yield backend
    backend.close()


def test_scalars_are_lines_of_json_in_both_files(backend, tmp_path):
    given = {"loss": 0.1, "acc": np.float32(0.5), "n": np.int64(3), "t": torch.tensor(2)}
    backend.add_scalars(given, step=7, file_path="run.json")
    backend.add_scalars({"loss": 0.2, "step": 1}, step=8)
    backend.add_scalar("x", torch.tensor(0.5), step=9)
    backend.add_scalar("y", np.array([1, 2]))
    folder = tmp_path / "vis_data"
    first = {"loss": 0.1, "acc": 0.5, "n": 3, "t": 2, "step": 7}
    assert rows(folder / "scalars.json") == [
        first,
        {"loss": 0.2, "step": 1},
        {"x": 0.5, "step": 9},
        {"y": [1, 2], "step": 0},
    ]
    assert rows(folder / "run.json") == [first]
    assert list(rows(folder / "run.json")[0]) == ["loss", "acc", "n", "t", "step"]
    assert "step" not in given


def test_nothing_is_created_before_it_is_used(tmp_path):
    LocalVisBackend(str(tmp_path / "vis_data"))
    assert list(tmp_path.iterdir()) == []


def test_a_line_is_there_at_once_and_files_are_opened_once(backend, tmp_path, monkeypatch):
    opened = []
    real_open = open

    def counting(path, *arguments, **options):
        opened.append(path)
        return real_open(path, *arguments, **options)

    monkeypatch.setattr("builtins.open", counting)
    for step in range(50):
        backend.add_scalars({"loss": 1.0}, step)
    assert len(opened) == 1
    assert (tmp_path / "vis_data" / "scalars.json").read_bytes().count(b"\n") == 50


def test_after_closing_lines_are_appended(backend, tmp_path):
    backend.add_scalar("a", 1)
    backend.close()
    backend.close()
    backend.add_scalar("a", 2)
    assert [row["a"] for row in rows(tmp_path / "vis_data" / "scalars.json")] == [1, 2]


@pytest.mark.slow
def test_a_killed_run_keeps_its_lines(tmp_path):
    program = (
        "import sys, time\n"
        "from mainspring.visualization import LocalVisBackend\n"
        "backend = LocalVisBackend(sys.argv[1])\n"
        "for step in range(100): backend.add_scalars({'loss': 1.0}, step)\n"
        "print('written', flush=True); time.sleep(60)\n"
    )
    with Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    assert len(rows(tmp_path / "scalars.json")) == 100


def test_the_config_is_written(backend, tmp_path):
    backend.add_config(Config(dict(a=1, b=dict(c="x"))))
    assert Config.fromfile(tmp_path / "vis_data" / "config.py").b.c == "x"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b: b.add_scalars([1]), "scalar_dict is a list"),
        (lambda b: b.add_scalars({}, 0, "x.txt"), "file_path is 'x.txt'(?s:.*)end it in .json"),
        (lambda b: b.add_scalars({}, 0, "scalars.json"), "the file of all scalars"),
        (lambda b: b.add_image("x", np.zeros((2, 2, 3))), "dtype float64"),
        (lambda b: b.add_image("x", np.zeros((2, 2, 5), np.uint8)), r"shape \(2, 2, 5\)"),
        (lambda b: LocalVisBackend("x", config_save_file="a.txt"), "end it in .py"),
        (lambda b: LocalVisBackend("x", scalar_save_file="a.txt"), "end it in .json"),
    ],
)
def test_mistakes(backend, call, message):
    with pytest.raises(AssertionError, match=message):
        call(backend)
    with pytest.raises(TypeError, match="object cannot be written as a scalar"):
        backend.add_scalar("x", object())


def test_errors_end_the_run(tmp_path):
    (tmp_path / "vis_data").write_text("in the way")
    visualizer = Visualizer(vis_backends=[dict(type="LocalVisBackend")], save_dir=str(tmp_path))
    with pytest.raises(FileExistsError):
        visualizer.add_scalar("a", 1)


def read_png(data):
    """The pixels of a PNG file, following the standard."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    position, chunks = 8, {}
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack(">I", data[position + 8 + length : position + 12 + length])
        assert checksum == zlib.crc32(kind + body)
        chunks[kind] = body
        position += 12 + length
    width, height, depth, color_type, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    channels = {0: 1, 2: 3, 6: 4}[color_type]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (lines[:, 0] == 2).all()
    return lines[:, 1:].cumsum(axis=0, dtype=np.uint8).reshape(height, width, channels)


@given(
    arrays.arrays(
        np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4]))
    )
)
def test_png_files_hold_the_pixels(tmp_path_factory, image):
    path = tmp_path_factory.mktemp("png") / "x.png"
    write_png(image, path)
    assert np.array_equal(read_png(path.read_bytes()), image)


def test_images_are_read_alike_by_opencv(backend, tmp_path):
    import cv2

    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    backend.add_image("val/cat", image[::2], step=5)
    path = tmp_path / "vis_data" / "vis_image" / "val" / "cat_5.png"
    assert np.array_equal(cv2.imread(str(path))[..., ::-1], image[::2])
