"""Fields of one length, indexed together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainspring.structures import InstanceData


class Boxes:
    """A field type with its own ways to be indexed and joined."""

    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, item):
        return Boxes(self.values[item])

    @staticmethod
    def cat(boxes):
        return Boxes(torch.cat([box.values for box in boxes]))


def instances(count=4):
    return InstanceData(
        metainfo={"shape": (4, 5)},
        tensor=torch.arange(count),
        array=np.arange(count),
        list=list(range(count)),
        tuple=tuple(range(count)),
        text="abcdefghij"[:count],
        boxes=Boxes(torch.arange(count)),
    )


def numbers(made):
    """The indices that were selected; every field must tell the same."""
    told = {
        tuple(made.tensor.tolist()),
        tuple(made.array.tolist()),
        tuple(made.list),
        made.tuple,
        tuple("abcdefghij".index(letter) for letter in made.text),
        tuple(made.boxes.values.tolist()),
    }
    assert len(told) == 1
    assert (type(made.list), type(made.tuple), type(made.text)) == (list, tuple, str)
    assert len(made) == len(made.list)
    return list(told.pop())


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (0, [0]),
        (-1, [3]),
        (-4, [0]),
        (np.int64(2), [2]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, 2), [0, 2]),
        (slice(5, 9), []),
        ([2, 0], [2, 0]),
        ([-1], [3]),
        ([], []),
        ([True, False, True, False], [0, 2]),
        (torch.tensor([3, 3, 0]), [3, 3, 0]),
        (torch.zeros(4, dtype=torch.bool), []),
        (torch.tensor([], dtype=torch.long), []),
        (np.array([1, 2]), [1, 2]),
        (np.array([1, 2], dtype=np.int32), [1, 2]),
        (np.array([False, True, False, False]), [1]),
    ],
)
def test_all_fields_are_selected_alike(item, expected):
    made = instances()[item]
    assert numbers(made) == expected
    assert made.shape == (4, 5)


@given(st.data())
def test_selecting_is_what_numpy_does(data):
    count = data.draw(st.integers(1, 10))
    index = st.integers(-count, count - 1)
    whole = st.none() | st.integers(-12, 12)
    item = data.draw(
        st.lists(index)
        | st.lists(st.booleans(), min_size=count, max_size=count)
        | st.builds(slice, whole, whole, st.none() | st.integers(1, 4))
    )
    expected = np.arange(count)[np.array(item, dtype=int) if item == [] else item]
    assert numbers(instances(count)[item]) == expected.tolist()


def test_a_name_gives_the_field():
    assert instances()["text"] == "abcd"
    assert instances()["shape"] == (4, 5)
    with pytest.raises(AttributeError):
        instances()["missing"]


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (4, IndexError),
        (-5, IndexError),
        ([9], IndexError),
        ([True], IndexError),
        (torch.tensor([True]), IndexError),
        (torch.tensor([1.0]), TypeError),
        (torch.tensor([1], dtype=torch.int32), TypeError),
        (torch.tensor([[1]]), ValueError),
        (torch.tensor(1), ValueError),
        (None, TypeError),
        ((1, 2), TypeError),
        (1.0, TypeError),
    ],
)
def test_what_selects_nothing_is_refused(item, error):
    with pytest.raises(error):
        instances()[item]


def test_every_field_has_a_length_and_the_same():
    made = instances()
    with pytest.raises(ValueError, match="extra has 1 entries, the other fields have 4"):
        made.extra = [1]
    with pytest.raises(TypeError, match="extra has no length"):
        made.extra = 3
    with pytest.raises(AssertionError):
        made["extra"] = [1]
    made["extra"] = [1, 2, 3, 4]
    assert made.extra == [1, 2, 3, 4]
    assert "extra" in made.keys()  # noqa: SIM118 - the names of the data fields alone
    assert len(InstanceData()) == 0


def test_joining_is_the_inverse_of_cutting():
    made = InstanceData.cat([instances()[:1], instances()[1:3], instances()[3]])
    assert numbers(made) == [0, 1, 2, 3]
    assert made.shape == (4, 5)
    alone = instances()
    assert InstanceData.cat([alone]) is alone


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([], ValueError),
        ([InstanceData(a=[1]), 3], TypeError),
        ([InstanceData(a=[1]), InstanceData(b=[1])], ValueError),
        ([InstanceData(a={1}), InstanceData(a={2})], ValueError),
    ],
)
def test_what_cannot_be_joined(parts, error):
    with pytest.raises(error) as caught:
        InstanceData.cat(parts)
    assert isinstance(caught.value, AssertionError)


def test_a_subclass_stays_one():
    class Mine(InstanceData):
        pass

    assert type(Mine(a=[1, 2])[0]) is Mine
    assert type(Mine.cat([Mine(a=[1]), Mine(a=[2])])) is Mine


def test_fields_that_know_slices_only_need_cat():
    class Slices:
        def __init__(self, boxes):
            self.boxes = boxes

        def __len__(self):
            return len(self.boxes)

        def __getitem__(self, item):
            return type(self)(self.boxes[item])

    class Joined(Slices):
        @staticmethod
        def cat(parts):
            return Joined([box for part in parts for box in part.boxes])

    flags = torch.tensor([True, False, True])
    assert InstanceData(boxes=Joined([1, 2, 3]))[flags].boxes.boxes == [1, 3]
    with pytest.raises(ValueError, match="Slices .* no cat"):
        InstanceData(boxes=Slices([1, 2, 3]))[flags]
