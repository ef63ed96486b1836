"""Drawing on an image."""

import sys

import numpy as np
import pytest
import torch

from mainspring.visualization import Visualizer
from mainspring.visualization.utils import (
    check_type_and_length,
    color_str2rgb,
    color_val_matplotlib,
    convert_overlay_heatmap,
    img_from_canvas,
    tensor2ndarray,
    value2list,
)
from prepared_processes import run

HEIGHT, WIDTH = 60, 90
GREY = np.full((HEIGHT, WIDTH, 3), 100, dtype=np.uint8)


@pytest.fixture
def visualizer():
    return Visualizer(image=GREY)


def changed(visualizer):
    """Rows and columns of the pixels that are not grey any more."""
    return np.argwhere((visualizer.get_image() != GREY).any(axis=-1))


def test_an_image_comes_back_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    visualizer = Visualizer(image=image)
    assert np.array_equal(visualizer.get_image(), image)
    visualizer.set_image(image[:20].astype(np.float32))
    assert np.array_equal(visualizer.get_image(), image[:20])
    grey = image[..., 0]
    visualizer.set_image(grey)
    assert np.array_equal(visualizer.get_image(), np.repeat(grey[..., None], 3, axis=2))


def test_no_image_is_a_mistake():
    with pytest.raises(AssertionError, match="call set_image first"):
        Visualizer().get_image()
    with pytest.raises(AssertionError, match="image is None"):
        Visualizer().set_image(None)


DRAWINGS = {
    "points": lambda v: v.draw_points(torch.tensor([[20, 30]]), colors="r", sizes=[9]),
    "texts": lambda v: v.draw_texts("x", np.array([20, 30]), font_sizes=8),
    "lines": lambda v: v.draw_lines(np.array([10, 30]), np.array([10, 30])),
    "circles": lambda v: v.draw_circles(np.array([[20, 30]]), np.array([9])),
    "bboxes": lambda v: v.draw_bboxes(torch.tensor([10, 10, 30, 40]), edge_colors=(255, 0, 0)),
    "polygons": lambda v: v.draw_polygons([np.array([[10, 10], [30, 12], [20, 40]])]),
    "masks": lambda v: v.draw_binary_masks(np.eye(HEIGHT, WIDTH) > 0),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawing_changes_the_image_and_can_be_chained(visualizer, name):
    assert DRAWINGS[name](visualizer) is visualizer
    assert len(changed(visualizer)) > 3


@pytest.mark.parametrize("name", DRAWINGS)
def test_other_ranks_draw_nothing_but_chain(visualizer, monkeypatch, name):
    before = changed(visualizer)
    for module in ("mainspring.visualization.drawing", "mainspring.dist.process_group"):
        monkeypatch.setattr(sys.modules[module], "is_main_process", lambda *_: False)
    assert DRAWINGS[name](visualizer) is visualizer
    monkeypatch.undo()
    assert np.array_equal(changed(visualizer), before)


def test_a_box_lies_where_it_was_asked_for(visualizer):
    visualizer.draw_bboxes(np.array([20, 10, 70, 40]), edge_colors=(255, 0, 0), alpha=1.0)
    pixels = changed(visualizer)
    assert np.abs(pixels.min(axis=0) - [10, 20]).max() <= 2
    assert np.abs(pixels.max(axis=0) - [40, 70]).max() <= 2
    assert visualizer.get_image()[25, 20].argmax() == 0


def test_a_filled_box_mixes_colours(visualizer):
    visualizer.draw_bboxes(
        np.array([20, 10, 70, 40]), edge_colors="none", face_colors=(200, 0, 100), alpha=0.5
    )
    assert np.abs(visualizer.get_image()[25, 45].astype(int) - [150, 50, 100]).max() <= 1


def test_masks_mix_colours_exactly(visualizer):
    masks = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    masks[0, :20] = masks[1, 10:30] = True
    visualizer.draw_binary_masks(masks, colors=["white", (0, 0, 0)], alphas=[0.4, 0.5])
    column = visualizer.get_image()[:, 0, 0].tolist()
    light = round(100 * 0.6 + 255 * 0.4)
    assert column == [light] * 10 + [light // 2] * 10 + [50] * 10 + [100] * 30


@pytest.mark.parametrize(
    "draw",
    [
        lambda v: v.draw_texts("x", np.array([200, 10])),
        lambda v: v.draw_lines(np.array([0, 100]), np.array([0, 10])),
        lambda v: v.draw_circles(np.array([5, 5]), np.array([9])),
        lambda v: v.draw_bboxes(np.array([-1, 5, 9, 9])),
        lambda v: v.draw_polygons(np.array([[0, 0], [0, 60], [9, 9]])),
    ],
)
def test_what_lies_outside_is_drawn_with_a_warning(visualizer, draw):
    with pytest.warns(UserWarning, match="out of bounds") as warned:
        draw(visualizer)
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda v: v.draw_points([1, 2]), TypeError, "positions is a list, not ndarray or Tensor"),
        (lambda v: v.draw_points(np.zeros((2, 3))), AssertionError, r"shape \(2, 3\)"),
        (lambda v: v.draw_texts(["a", "b"], np.zeros((1, 2))), AssertionError, "1 positions"),
        (
            lambda v: v.draw_texts(["a", "b"], np.zeros((2, 2)), colors=["r"]),
            AssertionError,
            "colors has 1 elements for 2",
        ),
        (lambda v: v.draw_texts(3, np.zeros(2)), TypeError, "texts is a int"),
        (
            lambda v: v.draw_lines(np.zeros((2, 2)), np.zeros(2)),
            AssertionError,
            "x_datas has shape",
        ),
        (
            lambda v: v.draw_circles(np.ones((2, 2)), np.ones(3)),
            AssertionError,
            r"radius has shape \(3,\) for 2 circles",
        ),
        (lambda v: v.draw_bboxes(np.array([9, 9, 3, 3])), AssertionError, "x1 > x2"),
        (lambda v: v.draw_bboxes(np.zeros((2, 5))), AssertionError, "bboxes has shape"),
        (lambda v: v.draw_polygons(np.zeros((2, 3))), AssertionError, "polygons has shape"),
        (
            lambda v: v.draw_binary_masks(np.zeros((HEIGHT, WIDTH))),
            AssertionError,
            "dtype float64",
        ),
        (
            lambda v: v.draw_binary_masks(np.zeros((3, 3), dtype=bool)),
            AssertionError,
            r"masks have size \(3, 3\)",
        ),
        (
            lambda v: v.draw_binary_masks(np.zeros((HEIGHT, WIDTH), dtype=bool), (1, 2, 300)),
            AssertionError,
            "no color",
        ),
    ],
)
def test_mistakes(visualizer, draw, error, message):
    with pytest.raises(error, match=message):
        draw(visualizer)


def test_colours():
    assert color_str2rgb("white") == (255, 255, 255)
    assert color_val_matplotlib("g") == "g"
    assert color_val_matplotlib(["g", (255, 0, 51)]) == ["g", (1.0, 0.0, 0.2)]
    with pytest.raises(TypeError, match="not a int"):
        color_val_matplotlib(3)
    with pytest.raises(AssertionError):
        color_val_matplotlib((1, 2))


def test_argument_helpers(visualizer):
    assert value2list("a", str, 2) == ["a", "a"]
    assert value2list(["a"], str, 2) == ["a"]
    assert isinstance(tensor2ndarray(torch.ones(1, requires_grad=True)), np.ndarray)
    check_type_and_length("x", [1, 2, 3], (int, list), 3)
    with pytest.raises(TypeError, match="x is a str, not int or list"):
        check_type_and_length("x", "a", (int, list), 3)
    assert img_from_canvas(visualizer.fig_save_canvas).shape == GREY.shape


def test_a_heatmap_is_blue_at_its_minimum_and_red_at_its_maximum():
    heat = convert_overlay_heatmap(np.array([[0.0, 0.5, 1.0]]))
    assert heat.dtype == np.uint8
    assert heat[0].argmax(axis=-1).tolist() == [2, 1, 0]
    image = np.full((1, 3, 3), 200, dtype=np.uint8)
    over = convert_overlay_heatmap(np.array([[0.0, 0.5, 1.0]]), image, alpha=0.25)
    assert np.abs(over - (image * 0.75 + heat * 0.25)).max() <= 1


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        (dict(), (6, 8)),
        (dict(channel_reduction="select_max"), (6, 8)),
        (dict(resize_shape=(12, 16)), (12, 16)),
        (dict(channel_reduction=None, topk=4, arrangement=(2, 3)), (12, 24)),
        (dict(channel_reduction=None), (24, 40)),
    ],
)
def test_feature_maps(options, shape):
    featmap = torch.randn(5, 6, 8)
    assert Visualizer.draw_featmap(featmap, **options).shape == (*shape, 3)


def test_the_chosen_channel_is_the_one_with_the_largest_sum():
    featmap = torch.zeros(3, 4, 4)
    featmap[1] = torch.arange(16.0).reshape(4, 4)
    chosen = Visualizer.draw_featmap(featmap, channel_reduction="select_max")
    assert np.array_equal(chosen, convert_overlay_heatmap(featmap[1]))


def test_feature_maps_take_the_size_of_the_image():
    image = np.full((20, 30, 3), 50, dtype=np.uint8)
    with pytest.warns(UserWarning, match="is interpolated"):
        assert Visualizer.draw_featmap(torch.randn(3, 4, 5), image).shape == (20, 30, 3)
    plain = Visualizer.draw_featmap(torch.randn(3, 20, 30), image, None, topk=-1)
    assert plain.shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.ones(3, 3),), r"shape \(3, 3\)"),
        ((torch.ones(3, 3, 3), None, "mean"), "channel_reduction is 'mean'"),
        ((torch.ones(2, 3, 3), None, None, 0), "2 channels"),
        ((torch.ones(2, 3, 3), None, None, 9, (2, 2)), "room for 4 of 9"),
    ],
)
def test_feature_maps_that_cannot_be_drawn(arguments, message):
    with pytest.raises(AssertionError, match=message):
        Visualizer.draw_featmap(*arguments)


def test_showing(monkeypatch, visualizer):
    import matplotlib.pyplot as plt

    monkeypatch.setattr(
        sys.modules["mainspring.visualization.visualizer"],
        "wait_continue",
        lambda figure, timeout, continue_key: shown.append((len(figure.axes), timeout)),
    )
    plt.switch_backend("agg")
    shown = []
    visualizer.show(wait_time=0.1)
    first = visualizer.manager
    visualizer.show(GREY, win_name="again", wait_time=0.2)
    assert visualizer.manager is first
    assert shown == [(1, 0.1), (1, 0.2)]

    first.canvas.callbacks.process("close_event", None)
    visualizer.show(GREY)
    assert visualizer.manager is not first
    with pytest.raises(ValueError, match="'qt'"):
        visualizer.show(backend="qt")


def test_drawing_packages_are_loaded_when_they_are_used_and_named_when_missing():
    program = """
import sys
for name in ("matplotlib", "cv2"):
    sys.modules[name] = None
import numpy as np, torch
from mainspring.visualization import Visualizer
visualizer = Visualizer(vis_backends=[dict(type="LocalVisBackend")], save_dir=sys.argv[1])
visualizer.add_image("x", np.zeros((2, 2, 3), dtype=np.uint8))
for call in (
    lambda: visualizer.set_image(np.zeros((2, 2, 3))),
    lambda: visualizer.draw_featmap(torch.ones(1, 2, 2)),
    lambda: visualizer.show(np.zeros((2, 2, 3)), backend="cv2"),
):
    try:
        call()
    except ImportError as error:
        print(str(error).splitlines()[-1].strip())
"""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-c", program, folder]
        done = run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "help: pip install mainspring[draw]",
        "help: pip install mainspring[draw]",
        "help: pip install opencv-python",
    ]
