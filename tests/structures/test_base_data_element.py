"""Two disjoint sets of fields: data, which moves, and metainfo, which stays."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from mainspring.errors import MainspringError
from mainspring.structures import BaseDataElement


class Sample(BaseDataElement):
    """As downstream libraries write theirs: a checked field behind a property."""

    @property
    def gt(self):
        return self._gt

    @gt.setter
    def gt(self, value):
        self.set_field(value, "_gt", dtype=BaseDataElement)

    @gt.deleter
    def gt(self):
        del self._gt


@pytest.fixture
def element():
    inner = BaseDataElement(metainfo={"q": 1}, u=torch.ones(1, requires_grad=True))
    return BaseDataElement(
        metainfo={"path": "x", "shape": [4, 5]}, t=torch.ones(2), n=3, inner=inner
    )


def test_fields_are_listed_in_the_order_in_which_they_were_set(element):
    assert element.keys() == ["t", "n", "inner"]
    assert element.metainfo_keys() == ["path", "shape"]
    assert element.all_keys() == ["path", "shape", "t", "n", "inner"]
    assert [name for name, _ in element.all_items()] == element.all_keys()
    assert element.values()[1] == 3
    assert element.metainfo == {"path": "x", "shape": [4, 5]}
    assert element.all_values()[:2] == element.metainfo_values() == ["x", [4, 5]]


def test_the_order_does_not_depend_on_the_hashes_of_the_process():
    code = (
        "from mainspring.structures import BaseDataElement as B;"
        "print(B(metainfo=dict(f=0, d=0), e=1, a=1, c=1, b=1).all_keys())"
    )
    listed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert listed == {"['f', 'd', 'e', 'a', 'c', 'b']"}


def test_a_name_is_in_one_set_only(element):
    with pytest.raises(AttributeError, match="'path' already, as metainfo"):
        element.path = "y"
    with pytest.raises(AttributeError, match="'t' already, as data"):
        element.set_metainfo({"t": 1})
    with pytest.raises(AttributeError):
        BaseDataElement(metainfo={"a": 1}, a=1)
    with pytest.raises(AttributeError):
        element.update(BaseDataElement(path=1))


@pytest.mark.parametrize("name", ["_data_fields", "_metainfo_fields"])
def test_the_sets_of_names_are_not_fields(element, name):
    with pytest.raises(AttributeError):
        setattr(element, name, set())
    with pytest.raises(AttributeError):
        delattr(element, name)
    with pytest.raises(KeyError):
        element.pop(name)
    assert name not in element


def test_metainfo_is_copied_when_it_is_set():
    shape = [4, 5]
    element = BaseDataElement(metainfo={"shape": shape})
    shape.append(6)
    assert element.shape == [4, 5]


def test_removing_fields(element):
    del element["t"]
    del element.path
    assert "t" not in element
    assert "path" not in element
    assert element.pop("n") == 3
    assert element.pop("shape") == [4, 5]
    assert element.pop("n", None) is None
    assert element.all_keys() == ["inner"]
    with pytest.raises(KeyError, match="n"):
        element.pop("n")
    with pytest.raises(AttributeError):
        del element.n
    assert element.get("n") is None
    assert element.get("n", 4) == 4


@pytest.mark.parametrize(
    ("convert", "kind"),
    [
        (lambda element: element.to(torch.float64), torch.float64),
        (lambda element: element.to(device="cpu", dtype=torch.float16), torch.float16),
        (lambda element: element.cpu(), torch.float32),
        (lambda element: element.detach(), torch.float32),
        (lambda element: element.numpy(), np.float32),
        (lambda element: element.numpy().to_tensor(), torch.float32),
    ],
)
def test_conversions_make_a_new_element_and_reach_inner_ones(element, convert, kind):
    made = convert(element)
    assert made.t.dtype == made.inner.u.dtype == kind
    assert (made.n, made.metainfo, made.inner.q) == (3, element.metainfo, 1)
    assert element.t.dtype == torch.float32
    assert element.inner.u.requires_grad


def test_detach_cuts_the_graph(element):
    assert not element.detach().inner.u.requires_grad


def test_new_takes_what_is_given_instead(element):
    assert element.new(metainfo={"z": 1}, y=2).to_dict() == {"z": 1, "y": 2}
    assert element.new(metainfo={}).keys() == element.keys()
    assert element.new().metainfo == element.metainfo


def test_a_clone_shares_values_but_not_fields(element):
    element.graph = element.inner.u * 2  # torch cannot copy a tensor with a history
    made = element.clone()
    made.n = 9
    made.shape.append(6)
    assert element.n == 3
    assert element.shape == [4, 5]
    assert made.graph is element.graph


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_and_pickles_are_equal(element, duplicate):
    made = duplicate(element)
    assert made.all_keys() == element.all_keys()
    assert torch.equal(made.t, element.t)
    made.n = 4
    assert element.n == 3


def test_update_takes_everything_over(element):
    element.update(BaseDataElement(metainfo={"path": "y", "r": 2}, n=5, w=1))
    assert (element.path, element.r, element.n, element.w) == ("y", 2, 5, 1)


def test_to_dict_goes_into_inner_elements(element):
    plain = element.to_dict()
    assert plain["inner"]["q"] == 1
    assert type(plain["inner"]) is dict


def test_a_property_checks_and_hides_its_field(element):
    sample = Sample(metainfo={"z": 1})
    sample.gt = element
    assert sample.keys() == ["gt"]
    assert "gt" in sample
    assert "_gt" in sample
    assert sample.to(torch.float64).gt.t.dtype == torch.float64
    assert sample.to_dict()["gt"]["n"] == 3
    del sample.gt
    assert "_gt" not in sample
    with pytest.raises(TypeError, match="_gt is a int"):
        sample.gt = 3


@pytest.mark.parametrize(
    "mistake",
    [
        lambda element: BaseDataElement(metainfo=[1]),
        lambda element: element.set_data([1]),
        lambda element: element.update({"a": 1}),
        lambda element: element.set_field("x", "a", dtype=int),
        lambda element: element.set_field("x", "a", field_type="other"),
        lambda element: element.pop("a", 1, 2),
    ],
)
def test_mistakes_are_also_the_assertions_that_older_code_catches(element, mistake):
    with pytest.raises(AssertionError) as caught:
        mistake(element)
    assert isinstance(caught.value, MainspringError)
    assert isinstance(caught.value, TypeError | ValueError)


def test_repr_shows_both_sets_with_inner_elements_indented():
    element = BaseDataElement(metainfo={"p": "x"}, t=BaseDataElement(a=1))
    assert re.sub("0x[0-9a-f]+", "0x", repr(element)).split("\n") == [
        "<BaseDataElement(",
        "",
        "    META INFORMATION",
        "    p: 'x'",
        "",
        "    DATA FIELDS",
        "    t: <BaseDataElement(",
        "        ",
        "            META INFORMATION",
        "        ",
        "            DATA FIELDS",
        "            a: 1",
        "        ) at 0x>",
        ") at 0x>",
    ]
