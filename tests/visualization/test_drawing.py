"""What is drawn is in the image, where and as it was asked for."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from mainspring.visualization import Visualizer
from mainspring.visualization.utils import (
    color_str2rgb,
    color_val_matplotlib,
    convert_overlay_heatmap,
    img_from_canvas,
    tensor2ndarray,
    value2list,
)

pytest.importorskip("matplotlib")

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def white():
    return Visualizer(image=np.full((60, 80, 3), 255, dtype=np.uint8))


def changed(image):
    """(x1, y1, x2, y2) of what is not white, ends excluded."""
    y, x = np.nonzero((image != 255).any(axis=-1))
    return x.min(), y.min(), x.max() + 1, y.max() + 1


def test_a_visualizer_is_made_without_matplotlib():
    code = (
        "import sys, mainspring.visualization as v; v.Visualizer();"
        "sys.exit(bool({'matplotlib', 'cv2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_without_matplotlib_drawing_says_what_to_install(monkeypatch):
    for module in ("matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install mainspring\[draw\]"):
        Visualizer(image=np.zeros((4, 4, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (10, 10), (37, 53), (333, 517), (1080, 1920)])
def test_an_image_comes_back_as_it_was(size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    drawn = Visualizer(image=image).get_image()
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, image)


def test_grey_images_become_rgb():
    image = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
    drawn = Visualizer(image=image).get_image()
    assert drawn.shape == (5, 7, 3)
    np.testing.assert_allclose(drawn[..., 0], image, atol=1)


def test_a_new_image_replaces_the_drawing(white):
    white.draw_bboxes(torch.tensor([10, 10, 50, 40]), face_colors="r")
    image = np.full((20, 30, 3), 7, dtype=np.uint8)
    white.set_image(image)
    np.testing.assert_array_equal(white.get_image(), image)


def test_there_must_be_an_image():
    with pytest.raises(RuntimeError, match="set_image"):
        Visualizer().get_image()
    with pytest.raises(AssertionError, match="None"):
        Visualizer().set_image(None)


class TestShapes:
    def test_a_filled_box_has_its_colour(self, white):
        box = torch.tensor([[20, 10, 60, 40]])
        drawn = white.draw_bboxes(box, edge_colors=RED, face_colors=BLUE, alpha=1).get_image()
        assert (drawn[14:36, 24:56] == BLUE).all()
        assert changed(drawn) == pytest.approx((20, 10, 60, 40), abs=3)

    def test_alpha_mixes_the_box_with_the_image(self, white):
        drawn = white.draw_bboxes(
            np.array([20, 10, 60, 40]), face_colors="b", alpha=0.5
        ).get_image()
        np.testing.assert_allclose(drawn[14:36, 24:56], [[(127, 127, 255)] * 32] * 22, atol=1)

    def test_an_empty_box_shows_the_image_inside(self, white):
        drawn = white.draw_bboxes(torch.tensor([20, 10, 60, 40]), edge_colors="r").get_image()
        assert (drawn[15:35, 25:55] == 255).all()
        assert (drawn[25, 17:24] != 255).any()

    def test_each_box_has_its_own_colour(self, white):
        boxes = torch.tensor([[5, 5, 25, 25], [45, 5, 75, 25]])
        drawn = white.draw_bboxes(boxes, face_colors=[RED, "b"], alpha=1).get_image()
        assert tuple(drawn[15, 15]) == RED
        assert tuple(drawn[15, 60]) == BLUE

    @pytest.mark.parametrize("box", [[60, 10, 20, 40], [20, 40, 60, 10]])
    def test_a_box_has_its_corners_in_order(self, white, box):
        with pytest.raises(AssertionError, match="x1"):
            white.draw_bboxes(torch.tensor(box))

    def test_boxes_have_four_numbers(self, white):
        with pytest.raises(AssertionError, match=r"\(1, 3\)"):
            white.draw_bboxes(torch.tensor([[1, 2, 3]]))
        with pytest.raises(TypeError, match="bboxes"):
            white.draw_bboxes([1, 2, 3, 4])

    def test_what_is_out_of_bounds_is_told(self, white):
        with pytest.warns(UserWarning, match="out of bounds"):
            white.draw_bboxes(torch.tensor([20, 10, 90, 40]))
        assert white.get_image().shape == (60, 80, 3)

    def test_polygons_are_filled(self, white):
        triangle = np.array([[10, 10], [70, 10], [10, 50]])
        drawn = white.draw_polygons([triangle], face_colors=RED, alpha=1).get_image()
        assert tuple(drawn[20, 20]) == RED
        assert tuple(drawn[45, 65]) == (255, 255, 255)

    def test_circles_have_their_radius(self, white):
        drawn = white.draw_circles(
            torch.tensor([40.0, 30.0]), torch.tensor([15.0]), face_colors="b", alpha=1
        ).get_image()
        assert tuple(drawn[30, 40]) == BLUE
        assert tuple(drawn[30, 52]) == BLUE
        assert tuple(drawn[17, 53]) == (255, 255, 255)
        with pytest.raises(AssertionError, match="radius"):
            white.draw_circles(torch.tensor([40.0, 30.0]), torch.tensor([3.0, 4.0]))

    def test_lines_join_their_ends(self, white):
        x, y = torch.tensor([[10, 70]]), torch.tensor([[30, 30]])
        drawn = white.draw_lines(x, y, colors=RED, line_widths=4).get_image()
        assert (drawn[29:31, 12:68] == RED).all()
        with pytest.raises(AssertionError, match="shape"):
            white.draw_lines(x, torch.tensor([[1, 2], [3, 4]]))

    def test_points_are_where_they_belong(self, white):
        drawn = white.draw_points(
            torch.tensor([[20, 40]]), colors=RED, sizes=np.array([40])
        ).get_image()
        assert tuple(drawn[40, 20]) == RED
        assert changed(drawn) == pytest.approx((15, 35, 25, 45), abs=3)

    def test_one_colour_is_for_three_points_too(self, white):
        places = torch.tensor([[20, 40], [40, 40], [60, 40]])
        drawn = white.draw_points(places, colors=RED, sizes=np.array([40, 40, 40])).get_image()
        assert (drawn[40, [20, 40, 60]] == RED).all()

    def test_texts_stand_right_of_and_below_their_place(self, white):
        drawn = white.draw_texts(
            ["a", "b"], torch.tensor([[10, 10], [50, 30]]), colors=["r", "b"]
        ).get_image()
        left, right = drawn[:, :45], drawn[:, 45:]
        assert changed(left)[0] >= 10
        assert changed(left)[1] >= 10
        assert changed(right)[1] >= 30
        with pytest.raises(AssertionError, match="1 positions are given for 2 texts"):
            white.draw_texts(["a", "b"], torch.tensor([[10, 10]]))
        with pytest.raises(AssertionError, match="font_sizes"):
            white.draw_texts(["a", "b"], torch.tensor([[1, 1], [2, 2]]), font_sizes=[3])

    def test_calls_can_be_chained(self, white):
        box = torch.tensor([20, 10, 60, 40])
        chained = (
            white.draw_bboxes(box)
            .draw_texts("a", torch.tensor([30, 20]))
            .draw_lines(torch.tensor([1, 9]), torch.tensor([1, 9]))
            .draw_circles(torch.tensor([40, 30]), torch.tensor([5]))
            .draw_points(torch.tensor([3, 3]))
            .draw_polygons(torch.tensor([[1, 1], [9, 1], [9, 9]]))
            .draw_binary_masks(torch.zeros(60, 80, dtype=torch.bool))
        )
        assert chained is white


class TestMasks:
    @pytest.mark.parametrize("alpha", [0, 0.25, 0.5, 0.8, 1])
    def test_masks_are_mixed_with_the_image(self, alpha):
        rng = np.random.default_rng(0)
        image = rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)
        mask = rng.random((30, 40)) > 0.5
        drawn = Visualizer(image=image).draw_binary_masks(mask, (10, 200, 90), alpha).get_image()
        mixed = np.rint(image * (1 - alpha) + np.array([10, 200, 90]) * alpha)
        expected = np.where(mask[..., None], mixed, image)
        np.testing.assert_array_equal(drawn, expected)

    def test_masks_lie_over_each_other(self, white):
        masks = torch.zeros(2, 60, 80, dtype=torch.bool)
        masks[0, :, :50] = masks[1, :, 30:] = True
        drawn = white.draw_binary_masks(masks, ["r", BLUE], [1.0, 1.0]).get_image()
        assert (drawn[:, :30] == RED).all()
        assert (drawn[:, 30:] == BLUE).all()

    def test_masks_keep_what_was_drawn_before(self, white):
        white.draw_bboxes(torch.tensor([20, 10, 60, 40]), face_colors=RED, alpha=1)
        drawn = white.draw_binary_masks(np.zeros((60, 80), dtype=bool)).get_image()
        assert tuple(drawn[25, 40]) == RED

    def test_masks_are_booleans_of_the_size_of_the_image(self, white):
        with pytest.raises(AssertionError, match="uint8"):
            white.draw_binary_masks(np.zeros((60, 80), dtype=np.uint8))
        with pytest.raises(AssertionError, match=r"\(60, 81\)"):
            white.draw_binary_masks(np.zeros((60, 81), dtype=bool))


class TestFeatureMaps:
    @pytest.fixture(autouse=True)
    def _opencv(self):
        pytest.importorskip("cv2")

    def test_large_values_are_red_and_small_ones_blue(self):
        values = torch.zeros(1, 8, 8)
        values[:, :, 4:] = 1
        drawn = Visualizer.draw_featmap(values)
        assert drawn.shape == (8, 8, 3)
        assert drawn.dtype == np.uint8
        assert drawn[0, 0].argmax() == 2
        assert drawn[0, 7].argmax() == 0

    def test_alpha_is_the_weight_of_the_feature_map(self):
        image = np.full((8, 8, 3), 100, dtype=np.uint8)
        values = torch.rand(3, 8, 8)
        none = Visualizer.draw_featmap(values, image, alpha=0)
        np.testing.assert_array_equal(none, image)
        full = Visualizer.draw_featmap(values, image, alpha=1)
        np.testing.assert_array_equal(full, Visualizer.draw_featmap(values))

    def test_select_max_takes_the_strongest_channel(self):
        values = torch.rand(4, 6, 6)
        values[2] += 5
        drawn = Visualizer.draw_featmap(values, channel_reduction="select_max")
        np.testing.assert_array_equal(drawn, convert_overlay_heatmap(values[2]))

    def test_sizes_are_brought_together(self):
        image = np.zeros((20, 30, 3), dtype=np.uint8)
        with pytest.warns(UserWarning, match="interpolated"):
            drawn = Visualizer.draw_featmap(torch.rand(2, 5, 5), image)
        assert drawn.shape == (20, 30, 3)
        assert Visualizer.draw_featmap(torch.rand(2, 5, 5), resize_shape=(7, 9)).shape == (7, 9, 3)

    def test_channels_stand_side_by_side(self):
        drawn = Visualizer.draw_featmap(
            torch.rand(9, 40, 50), channel_reduction=None, topk=6, arrangement=(2, 3)
        )
        assert drawn.shape == (80, 150, 3)

    @pytest.mark.parametrize(
        "arguments",
        [
            dict(channel_reduction="mean"),
            dict(channel_reduction=None, topk=7, arrangement=(2, 3)),
            dict(channel_reduction=None, topk=0),
        ],
    )
    def test_arguments_must_fit_together(self, arguments):
        with pytest.raises(AssertionError, match=r"channel|arrangement"):
            Visualizer.draw_featmap(torch.rand(9, 4, 4), **arguments)


class TestHelpers:
    def test_colours(self):
        assert color_val_matplotlib((255, 0, 51)) == (1, 0, 0.2)
        assert color_val_matplotlib(["r", (0, 0, 255)]) == ["r", (0, 0, 1)]
        assert color_str2rgb("red") == (255, 0, 0)
        with pytest.raises(AssertionError, match="256"):
            color_val_matplotlib((256, 0, 0))
        with pytest.raises(TypeError, match="int"):
            color_val_matplotlib(3)

    def test_values(self):
        assert value2list(3, int, 2) == [3, 3]
        assert value2list([1, 2], int, 2) == [1, 2]
        assert tensor2ndarray(torch.ones(2)).tolist() == [1, 1]

    def test_a_canvas_becomes_an_image(self):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        image = img_from_canvas(FigureCanvasAgg(Figure(figsize=(2, 1), dpi=50, facecolor="r")))
        assert image.shape == (50, 100, 3)
        assert (image == RED).all()
