"""Moving nested data, and preparing images."""

from collections import OrderedDict
from typing import Any, NamedTuple

import pytest
import torch

from mainspring.errors import DataError
from mainspring.model import BaseDataPreprocessor, ImgDataPreprocessor


class Pair(NamedTuple):
    image: Any
    name: str


class TestCast:
    def test_containers_keep_their_type(self):
        tensor = torch.ones(2)
        data = {
            "list": [tensor],
            "tuple": (tensor, 1),
            "named": Pair(tensor, "a"),
            "ordered": OrderedDict(x=tensor),
            "text": "abc",
            "bytes": b"abc",
            "none": None,
            "number": 1.5,
        }
        moved = BaseDataPreprocessor().to("meta")(data)
        assert list(moved) == list(data)
        assert [type(value) for value in moved.values()] == [type(v) for v in data.values()]
        for found in (moved["list"][0], moved["tuple"][0], moved["named"].image):
            assert found.device.type == "meta"
        assert moved["ordered"]["x"].device.type == "meta"
        assert moved["named"].name == "a"

    def test_a_tensor_that_is_there_already_is_not_copied(self):
        tensor = torch.ones(2)
        data = {"a": tensor}
        moved = BaseDataPreprocessor()(data)
        assert moved["a"] is tensor
        assert moved is not data

    def test_unknown_objects_pass_through(self):
        thing = object()
        assert BaseDataPreprocessor()([thing])[0] is thing

    def test_a_subclass_may_extend_the_cast_of_nested_values(self):
        class Halves(BaseDataPreprocessor):
            def cast_data(self, data):
                return super().cast_data(data.half() if isinstance(data, torch.Tensor) else data)

        assert Halves()({"a": [torch.ones(1)]})["a"][0].dtype == torch.float16


class TestImages:
    def test_normalises_swaps_pads_and_stacks(self):
        images = [
            torch.randint(0, 255, (3, 5, 6), dtype=torch.uint8),
            torch.randint(0, 255, (3, 7, 4), dtype=torch.uint8),
        ]
        mean, std = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
        preprocessor = ImgDataPreprocessor(
            mean.tolist(), std.tolist(), pad_size_divisor=4, pad_value=9, bgr_to_rgb=True
        )
        batch = preprocessor({"inputs": images})
        assert batch["data_samples"] is None
        assert batch["inputs"].shape == (2, 3, 8, 8)
        for row, image in zip(batch["inputs"], images, strict=True):
            height, width = image.shape[1:]
            expected = (image.flip(0).float() - mean[:, None, None]) / std[:, None, None]
            assert torch.equal(row[:, :height, :width], expected)
            assert (row[:, height:] == 9).all()
            assert (row[:, :, width:] == 9).all()

    def test_a_ready_batch(self):
        images = torch.randint(0, 255, (2, 3, 5, 6), dtype=torch.uint8)
        batch = ImgDataPreprocessor(pad_size_divisor=4)({"inputs": images, "data_samples": [1, 2]})
        assert batch["inputs"].dtype == torch.float32
        assert batch["inputs"].shape == (2, 3, 8, 8)
        assert torch.equal(batch["inputs"][:, :, :5, :6], images.float())
        assert batch["data_samples"] == [1, 2]

    def test_statistics_are_buffers_outside_the_state(self):
        preprocessor = ImgDataPreprocessor([1], [2])
        assert preprocessor.mean.shape == (1, 1, 1)
        assert not preprocessor.state_dict()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"mean": [1, 2, 3]}, "go together"),
            ({"mean": [1, 2], "std": [1, 2]}, "1 or 3 values"),
            ({"bgr_to_rgb": True, "rgb_to_bgr": True}, "at the same time"),
        ],
    )
    def test_wrong_arguments(self, arguments, message):
        with pytest.raises(AssertionError, match=message):
            ImgDataPreprocessor(**arguments)

    def test_a_switch_that_is_a_word_is_refused(self):
        with pytest.raises(TypeError, match="bgr_to_rgb is True or False, not 'false'"):
            ImgDataPreprocessor(bgr_to_rgb="false")

    @pytest.mark.parametrize(
        ("data", "error", "message"),
        [
            ({"inputs": torch.ones(3, 4, 4)}, AssertionError, "NCHW"),
            ({"inputs": 3}, TypeError, "list of"),
            ({"images": 3}, DataError, r"'inputs', but the batch is \['images'\]"),
            ([1], DataError, "but the batch is list"),
            ({"inputs": [torch.ones(1, 4, 4)]}, AssertionError, "as many channels"),
        ],
    )
    def test_wrong_data(self, data, error, message):
        with pytest.raises(error, match=message):
            ImgDataPreprocessor([1, 2, 3], [1, 2, 3])(data)
