"""A data set described by an annotation file, with a pipeline of transforms."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import get_spawning_popen
from typing import Any, Self

import numpy as np
from torch.utils.data import Dataset

from mainspring.config import Config
from mainspring.dataset.compose import Compose
from mainspring.dataset.lazy_init import force_full_init, init_for_item
from mainspring.dataset.serialized_items import Addresses, Bytes, pack, select, unpack
from mainspring.dataset.shared_arrays import SharedArrays, share_between_ranks
from mainspring.errors import AnnotationError, ArgumentIndexError, ConfigTypeError, DataError
from mainspring.fileio import join_path, list_from_file, load
from mainspring.registry import DATASETS

__all__ = ["BaseDataset"]


@DATASETS.register_module()
class BaseDataset(Dataset[Any]):
    """Base of data sets with an annotation file.

    The file holds ``metainfo`` (what concerns the whole set) and ``data_list`` (a dict for each
    item). Items go through the pipeline when they are asked for. Subclasses override
    `load_data_list` for another format, `parse_data_info`, `filter_data` and `get_cat_ids`.

    Attributes:
        METAINFO: Meta information of the class of data sets.
        data_list: The items; empty when they are serialised.
        data_bytes: All items pickled, as one array, which workers, and ranks on one machine, share
            without copies.
        data_address: Where each item ends in it.

    Args:
        ann_file: Path of the annotation file.
        metainfo: Meta information that replaces that of the class; a path to an existing file
            stands for its lines.
        data_root: Put before relative paths.
        data_prefix: Paths of the data, by key of the items.
        filter_cfg: What `filter_data` needs.
        indices: First (or, when negative, last) items to use, or a list of indices.
        serialize_data: Whether to keep items pickled.
        pipeline: Transforms, as dicts or callables.
        test_mode: Whether an item that the pipeline gives up is an error.
        lazy_init: Whether to put off loading the annotations.
        max_refetch: How often to try another item when the pipeline gives one up.

    Example:
        >>> import json, pathlib
        >>> rows = [dict(img_path="a.png", img_label=0), dict(img_path="b.png", img_label=1)]
        >>> text = json.dumps(dict(metainfo=dict(classes=["cat", "dog"]), data_list=rows))
        >>> _ = pathlib.Path("train.json").write_text(text)
        >>> dataset = BaseDataset("train.json", data_prefix=dict(img_path="images"))
        >>> len(dataset), dataset.metainfo["classes"], dataset[1]["img_path"]
        (2, ['cat', 'dog'], 'images/b.png')
    """

    METAINFO: dict[str, Any] = {}  # noqa: RUF012 - subclasses and instances may set their own
    _fully_initialized: bool = False

    def __init__(
        self,
        ann_file: str | None = "",
        metainfo: Mapping[str, Any] | Config | None = None,
        data_root: str | None = "",
        data_prefix: Mapping[str, str] = {"img_path": ""},
        filter_cfg: Mapping[str, Any] | None = None,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        pipeline: Sequence[Mapping[str, Any] | Callable[..., Any]] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        self.ann_file = ann_file
        self._metainfo = self._load_metainfo(copy.deepcopy(metainfo))
        self.data_root = data_root
        self.data_prefix = dict(copy.copy(data_prefix))
        self.filter_cfg = copy.deepcopy(filter_cfg)
        self._indices = indices
        self.serialize_data = serialize_data
        self.test_mode = test_mode
        self.max_refetch = max_refetch
        self.data_list: list[Any] = []
        self.data_bytes: Bytes
        self.data_address: Addresses
        if self.data_root is not None:
            self._join_prefix()
        self.pipeline = Compose(pipeline)
        if not lazy_init:
            self.full_init()

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """What the annotations say of an item, with its index as ``sample_idx``.

        Args:
            idx: Index of the item; negative ones count from the end.
        """
        data_info: dict[str, Any]
        if self.serialize_data:
            data_info = unpack(self.data_bytes, self.data_address, idx)
        else:
            data_info = copy.deepcopy(self.data_list[idx])
        data_info["sample_idx"] = idx if idx >= 0 else len(self) + idx
        return data_info

    def full_init(self) -> None:
        """Load the annotations, filter, cut to the indices and serialise; once only."""
        if self._fully_initialized:
            return
        self.data_list = self.load_data_list()
        self.data_list = self.filter_data()
        if self._indices is not None:
            self.data_list = self._get_unserialized_subset(self._indices)
        if self.serialize_data:
            self.data_bytes, self.data_address = self._serialize_data()
            self._look_at(share_between_ranks((self.data_bytes, self.data_address)))
        self._fully_initialized = True

    def _look_at(self, shared: SharedArrays | None) -> None:
        """Use the items in shared memory, instead of those of this process."""
        if shared is not None:
            self._shared = shared
            self.data_bytes, self.data_address = shared.arrays

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled; for a process that is being started, where the items are to be found."""
        state = self.__dict__.copy()
        shared = state.pop("_shared", None)
        if get_spawning_popen() is None or "data_bytes" not in state:
            return state
        if shared is None or shared.arrays[0] is not self.data_bytes:
            shared = SharedArrays.of((self.data_bytes, self.data_address))
        if shared is not None:
            self._look_at(shared)
            del state["data_bytes"], state["data_address"]
            state["_found_at"] = (shared.path, shared.layout)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        place = state.pop("_found_at", None)
        self.__dict__.update(state)
        if place is not None:
            shared = SharedArrays.open(*place)
            if shared is None:
                raise DataError(
                    f"the items of {type(self).__name__} are gone",
                    help="the process that read them has ended",
                )
            self._look_at(shared)

    @property
    def metainfo(self) -> dict[str, Any]:
        """A copy of the meta information."""
        return copy.deepcopy(self._metainfo)

    def parse_data_info(
        self, raw_data_info: dict[str, Any]
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Turn an entry of the annotation file into an item, or several; paths are joined.

        Args:
            raw_data_info: The entry.

        Raises:
            DataError: The entry lacks a key of ``data_prefix``.
        """
        for key, folder in self.data_prefix.items():
            if key not in raw_data_info:
                raise DataError(
                    f"an entry of {self.ann_file} has no {key!r}, which data_prefix names: "
                    f"{raw_data_info!r:.120}"
                )
            raw_data_info[key] = join_path(folder, raw_data_info[key])
        return raw_data_info

    def filter_data(self) -> list[Any]:
        """The items to use; all of them unless overridden."""
        return self.data_list

    def get_cat_ids(self, idx: int) -> list[int]:
        """Classes that occur in an item; needed by `ClassBalancedDataset`."""
        raise NotImplementedError(f"{type(self).__name__} does not say which classes an item has")

    def __getitem__(self, idx: int) -> Any:
        init_for_item(self)
        data = self.prepare_data(idx)
        if self.test_mode:
            if data is None:
                raise DataError(f"the pipeline gave up item {idx}, which must not happen in tests")
            return data
        for _ in range(self.max_refetch):
            if data is not None:
                return data
            data = self.prepare_data(self._rand_another())
        if data is not None:
            return data
        raise DataError(
            f"the pipeline gave up {self.max_refetch + 1} items in a row",
            help="check the transforms and the data, or raise max_refetch",
        )

    def load_data_list(self) -> list[Any]:
        """Read the annotation file; to be overridden for other formats.

        Raises:
            AnnotationError: The file has another form.
        """
        annotations = load(self.ann_file or "")
        if not isinstance(annotations, dict):
            raise AnnotationError(
                f"{self.ann_file} holds a {type(annotations).__name__}",
                help="it is a dict with 'metainfo' and 'data_list'; override load_data_list for "
                "another format",
            )
        for key in ("data_list", "metainfo"):
            if key not in annotations:
                raise AnnotationError(
                    f"{self.ann_file} has no {key!r}; it has {', '.join(map(str, annotations))}"
                )
        for key, value in annotations["metainfo"].items():
            self._metainfo.setdefault(key, value)
        items: list[Any] = []
        for raw in annotations["data_list"]:
            parsed: Any = self.parse_data_info(raw)
            if isinstance(parsed, dict):
                items.append(parsed)
            elif isinstance(parsed, list) and all(isinstance(item, dict) for item in parsed):
                items.extend(parsed)
            else:
                raise TypeError(
                    f"parse_data_info gives a dict or a list of dicts, not {type(parsed).__name__}"
                )
        return items

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping[str, Any] | Config | None = None) -> dict[str, Any]:
        merged = copy.deepcopy(cls.METAINFO)
        if metainfo is None:
            return merged
        if isinstance(metainfo, Config):
            metainfo = metainfo.to_dict()
        if not isinstance(metainfo, Mapping):
            raise TypeError(f"metainfo is a dict, not {type(metainfo).__name__}")
        for key, value in metainfo.items():
            is_file = isinstance(value, str) and os.path.isfile(value)
            merged[key] = list_from_file(value) if is_file else value
        return merged

    def _join_prefix(self) -> None:
        """Put the root before relative paths of the annotation file and the data."""
        root = self.data_root or ""
        if self.ann_file and not _is_whole(self.ann_file) and root:
            self.ann_file = join_path(root, self.ann_file)
        for key, folder in self.data_prefix.items():
            if not isinstance(folder, str):
                raise ConfigTypeError(
                    f"data_prefix[{key!r}] is {folder!r}", help="it is the path of a folder"
                )
            if not _is_whole(folder) and root:
                self.data_prefix[key] = join_path(root, folder)

    @force_full_init
    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Keep only some items, in place.

        Args:
            indices: How many to keep from the start (or, when negative, from the end), or which.
        """
        if self.serialize_data:
            self.data_bytes, self.data_address = self._get_serialized_subset(indices)
            self.__dict__.pop("_shared", None)
        else:
            self.data_list = self._get_unserialized_subset(indices)

    @force_full_init
    def get_subset(self, indices: Sequence[int] | int) -> Self:
        """A data set of some of the items.

        Args:
            indices: How many to keep from the start (or, when negative, from the end), or which.

        Raises:
            IndexError: There are fewer items.
        """
        subset = self._copy_without_annotation()
        if self.serialize_data:
            subset.data_bytes, subset.data_address = self._get_serialized_subset(indices)
        else:
            subset.data_list = self._get_unserialized_subset(indices)
        return subset

    def _chosen(self, indices: Sequence[int] | int, length: int) -> list[int]:
        if isinstance(indices, int):
            every = list(range(length))
            return every[:indices] if indices >= 0 else every[indices:]
        if not isinstance(indices, str | bytes | Mapping):
            return [index + length if index < 0 else index for index in indices]
        raise TypeError(f"indices is an int or a sequence of ints, not {type(indices).__name__}")

    def _get_serialized_subset(self, indices: Sequence[int] | int) -> tuple[Bytes, Addresses]:
        length = len(self.data_address)
        chosen = self._chosen(indices, length)
        beyond = [index for index in chosen if not 0 <= index < length]
        if beyond or (isinstance(indices, int) and abs(indices) > length):
            raise ArgumentIndexError(f"there are {length} items, but {beyond or indices} asked for")
        return select(self.data_bytes, self.data_address, chosen)

    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> list[Any]:
        return [self.data_list[index] for index in self._chosen(indices, len(self.data_list))]

    def _serialize_data(self) -> tuple[Bytes, Addresses]:
        """Pack all items, and drop the list."""
        packed = pack(self.data_list)
        self.data_list.clear()
        return packed

    def _rand_another(self) -> int:
        return int(np.random.randint(0, len(self)))  # noqa: NPY002 - seeded for each item

    def prepare_data(self, idx: int) -> Any:
        """Load an item and send it through the pipeline.

        Args:
            idx: Index of the item.
        """
        return self.pipeline(self.get_data_info(idx))

    @force_full_init
    def __len__(self) -> int:
        return len(self.data_address) if self.serialize_data else len(self.data_list)

    def _copy_without_annotation(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        other = self.__class__.__new__(self.__class__)
        memo[id(self)] = other
        for key, value in self.__dict__.items():
            if key not in ("data_list", "data_address", "data_bytes", "_shared"):
                setattr(other, key, copy.deepcopy(value, memo))
        other.data_list = []
        return other


def _is_whole(path: str) -> bool:
    """Whether a path is absolute on the disk, or an address in some storage."""
    return os.path.isabs(path) or "://" in path
