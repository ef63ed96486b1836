"""The items of a data set are in memory once, however many processes look at them."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from mainspring.dataset import BaseDataset
from mainspring.dataset.shared_arrays import SharedArrays, share_between_ranks
from prepared_processes import run_ranks

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs Linux's memfd")

ITEMS = 4000


class Inspecting(BaseDataset):
    """Says of an item what is in it, and which memory it came from."""

    def load_data_list(self):
        return [{"number": number, "text": "x" * 300} for number in range(ITEMS)]

    def __getitem__(self, index):
        item = super().__getitem__(index)
        return [item["number"], len(item["text"]), *memory_of(self.data_bytes)]


def memory_of(array):
    """The file behind an array's memory (0 for memory of the process alone), and its process."""
    address = array.ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        begin, end = (int(number, 16) for number in line.split()[0].split("-"))
        if begin <= address < end:
            return [int(line.split()[4]) if "memfd:mainspring" in line else 0, os.getpid()]
    raise AssertionError(address)


SCRIPT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from test_shared_arrays import Inspecting

def main():
    from mainspring.dataset import DataLoader
    from mainspring.dist import get_rank, init_dist
    ranks = "RANK" in os.environ
    if ranks:
        init_dist("pytorch", backend="gloo")
    dataset = Inspecting()
    found = {"here": [dataset[0], dataset[3999]], "writable": bool(dataset.data_bytes.flags.writeable)}
    for way in sys.argv[3:]:
        loader = DataLoader(dataset, 1, num_workers=2, multiprocessing_context=way, collate_fn=list,
                            sampler=[0, 1, 2, 3999])
        found[way] = [batch[0] for batch in loader]
    with open(sys.argv[2] + f"/{get_rank()}.json", "w") as file:
        json.dump(found, file)
    if ranks:
        import torch
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()

if __name__ == "__main__":
    main()
"""


def run(tmp_path, processes, *ways):
    (tmp_path / "program.py").write_text(SCRIPT)
    words = [str(tmp_path / "program.py"), str(Path(__file__).parent), str(tmp_path), *ways]
    ended = run_ranks(processes, words)
    assert [each.returncode for each in ended] == [0] * processes, ended
    return [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(processes)]


def test_ranks_of_a_machine_look_at_the_same_memory(tmp_path):
    found = run(tmp_path, 2)
    for rank in found:
        assert [item[:2] for item in rank["here"]] == [[0, 300], [3999, 300]]
        assert rank["writable"] is False
    files = {rank["here"][0][2] for rank in found}
    assert len(files) == 1
    assert files != {0}
    assert len({rank["here"][0][3] for rank in found}) == 2


def test_workers_that_are_not_forked_look_at_the_same_memory(tmp_path):
    (found,) = run(tmp_path, 1, "spawn")
    assert [item[:2] for item in found["spawn"]] == [[0, 300], [1, 300], [2, 300], [3999, 300]]
    files = {item[2] for item in found["spawn"]}
    assert len(files) == 1
    assert files != {0}
    assert len({item[3] for item in found["spawn"]}) == 2


def test_a_pickle_for_later_holds_the_items_themselves():
    dataset = Inspecting()
    data = pickle.dumps(dataset)
    del dataset
    assert pickle.loads(data)[7][:2] == [7, 300]


def test_copies_and_subsets_go_on_working():
    dataset = Inspecting()
    dataset._look_at(SharedArrays.of((dataset.data_bytes, dataset.data_address)))
    other = copy.deepcopy(dataset)
    subset = dataset.get_subset([5, 6])
    dataset.get_subset_(3)
    assert [len(each) for each in (dataset, other, subset)] == [3, ITEMS, 2]
    assert other[3999][:2] == [3999, 300]
    assert subset[1][:2] == [6, 300]


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0), (5, 7)])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_arrays_of_any_shape_and_type(shape, kind):
    arrays = [np.arange(np.prod(shape)).reshape(shape).astype(kind), np.array([1, 2], np.int64)]
    shared = SharedArrays.of(arrays)
    opened = SharedArrays.open(shared.path, shared.layout)
    for array, ours, theirs in zip(arrays, shared.arrays, opened.arrays):
        np.testing.assert_array_equal(array, ours)
        np.testing.assert_array_equal(array, theirs)
        assert array.dtype == ours.dtype == theirs.dtype
        with pytest.raises(ValueError, match="read-only"):
            theirs[...] = 0


def test_memory_that_is_gone_or_another_is_not_opened(tmp_path):
    shared = SharedArrays.of([np.arange(3)], "one")
    assert SharedArrays.open(shared.path, shared.layout, "two") is None
    path, layout = shared.path, shared.layout
    del shared
    gc.collect()
    assert SharedArrays.open(path, layout, "one") is None
    with open(tmp_path / "file", "w") as file:
        number = re.sub(r"\d+$", str(file.fileno()), path)
        assert SharedArrays.open(number, layout) is None


def test_nothing_is_left_open():
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        shared = SharedArrays.of([np.arange(1000)])
        SharedArrays.open(shared.path, shared.layout)
        del shared
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_single_process_keeps_its_own():
    assert share_between_ranks([np.zeros(1 << 21, np.uint8)]) is None


def test_a_subset_in_place_lets_go_of_the_rest():
    dataset = Inspecting()
    dataset._look_at(SharedArrays.of((dataset.data_bytes, dataset.data_address)))
    path = dataset._shared.path
    dataset.get_subset_([5])
    gc.collect()
    assert dataset[0][:2] == [5, 300]
    assert SharedArrays.open(path, []) is None
