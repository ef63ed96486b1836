"""Data sets made of data sets: several in a row, one repeated, rare classes repeated."""

from __future__ import annotations

import bisect
import copy
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NoReturn, Protocol

from torch.utils.data import ConcatDataset as TorchConcatDataset

from mainspring.dataset.base_dataset import BaseDataset
from mainspring.dataset.lazy_init import force_full_init, init_for_item
from mainspring.dataset.same_metainfo import is_same
from mainspring.dataset.workers.batch_fetch import loads_batches
from mainspring.errors import ArgumentIndexError, ConfigError
from mainspring.registry import DATASETS

__all__ = ["ClassBalancedDataset", "ConcatDataset", "RepeatDataset"]


class _LoadedLate(Protocol):
    """A data set as this package has them, perhaps not of its classes."""

    @property
    def metainfo(self) -> dict[str, Any]: ...
    def full_init(self) -> None: ...
    def __len__(self) -> int: ...
    def __getitem__(self, idx: int, /) -> Any: ...


def _ready(dataset: Any, owner: str) -> Any:
    if isinstance(dataset, Mapping):
        return DATASETS.build(dataset)
    if isinstance(dataset, BaseDataset) or hasattr(dataset, "full_init"):
        return dataset
    raise TypeError(f"{owner} takes a dict or a BaseDataset, not {type(dataset).__name__}")


class _Outer:
    """What data sets made of others share."""

    _metainfo: dict[str, Any]
    _fully_initialized = False

    @property
    def metainfo(self) -> dict[str, Any]:
        """A copy of the meta information, that of the first data set inside."""
        return copy.deepcopy(self._metainfo)

    @property
    def _inner_datasets(self) -> list[Any]:
        raise NotImplementedError

    def full_init(self) -> None:
        """Load the annotations of all; once only."""
        if not self._fully_initialized:
            for dataset in self._inner_datasets:
                dataset.full_init()
            self._prepare()
            self._fully_initialized = True

    def _prepare(self) -> None:
        raise NotImplementedError

    def _place_of(self, idx: int) -> tuple[Any, int]:
        """The data set that an item is of, and its index there."""
        raise NotImplementedError

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """What the annotations say of an item."""
        dataset, inner = self._place_of(idx)
        info: dict[str, Any] = dataset.get_data_info(inner)
        return info

    def __getitem__(self, idx: int) -> Any:
        init_for_item(self)
        dataset, inner = self._place_of(idx)
        return dataset[inner]

    def get_subset_(self, indices: Sequence[int] | int) -> NoReturn:
        """Refused: take subsets of the data sets inside."""
        raise NotImplementedError(
            f"{type(self).__name__} has no subsets: take those of the data sets inside, or set "
            "their indices"
        )

    def get_subset(self, indices: Sequence[int] | int) -> NoReturn:
        """Refused: take subsets of the data sets inside."""
        self.get_subset_(indices)


@DATASETS.register_module()
class ConcatDataset(_Outer, TorchConcatDataset[Any]):
    """Several data sets, one after the other.

    Args:
        datasets: The data sets, or their dicts.
        lazy_init: Whether to put off loading the annotations.
        ignore_keys: Keys of the meta information that may differ.

    Raises:
        ConfigError: The meta information differs.

    Example:
        >>> class Words(BaseDataset):
        ...     METAINFO = dict(classes=["short", "long"])
        ...
        ...     def load_data_list(self):
        ...         return [dict(word=word, label=len(word) // 4) for word in ("a", "of", "word")]
        >>> both = ConcatDataset([Words(), Words()])
        >>> len(both), both[4]["word"]
        (6, 'of')
    """

    def __init__(
        self,
        datasets: Sequence[_LoadedLate | Mapping[str, Any]],
        lazy_init: bool = False,
        ignore_keys: str | list[str] | None = None,
    ) -> None:
        self.datasets: list[Any] = [_ready(dataset, type(self).__name__) for dataset in datasets]
        if ignore_keys is None:
            self.ignore_keys: list[str] = []
        elif isinstance(ignore_keys, str):
            self.ignore_keys = [ignore_keys]
        elif isinstance(ignore_keys, list):
            self.ignore_keys = ignore_keys
        else:
            raise TypeError(f"ignore_keys is a str or a list, not {type(ignore_keys).__name__}")
        if not self.datasets:
            raise ConfigError("datasets is empty", help="give at least one data set")
        self._metainfo = self.datasets[0].metainfo
        for number, dataset in enumerate(self.datasets[1:], 2):
            self._check_same_metainfo(number, dataset.metainfo)
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def _check_same_metainfo(self, number: int, metainfo: Mapping[str, Any]) -> None:
        for key in self._metainfo.keys() | metainfo.keys():
            if key in self.ignore_keys:
                continue
            if key not in metainfo or key not in self._metainfo:
                raise ConfigError(
                    f"{key!r} is in the meta information of only one of data sets 1 and {number}",
                    help=f"add it, or set ignore_keys=[{key!r}]",
                )
            if not is_same(metainfo[key], self._metainfo[key]):
                raise ConfigError(
                    f"{key!r} differs between data sets 1 and {number}",
                    help=f"make it the same, or set ignore_keys=[{key!r}]",
                )

    @property
    def _inner_datasets(self) -> list[Any]:
        return self.datasets

    def _prepare(self) -> None:
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    @force_full_init
    def _get_ori_dataset_idx(self, idx: int) -> tuple[int, int]:
        """Which data set an item is of, and its index there."""
        length = len(self)
        if not -length <= idx < length:
            kind = ArgumentIndexError if idx > 0 else ValueError  # as MMEngine's users catch them
            raise kind(f"there is no item {idx} among {length}")
        idx = idx + length if idx < 0 else idx
        dataset = bisect.bisect_right(self.cumulative_sizes, idx)
        return dataset, idx - (self.cumulative_sizes[dataset - 1] if dataset else 0)

    def _place_of(self, idx: int) -> tuple[Any, int]:
        dataset, inner = self._get_ori_dataset_idx(idx)
        return self.datasets[dataset], inner

    @force_full_init
    def __len__(self) -> int:
        return super().__len__()

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Items in one call for each data set, where all of them load batches."""
        if not loads_batches(self):
            return [self[idx] for idx in indices]
        places = [self._get_ori_dataset_idx(idx) for idx in indices]
        found: list[Any] = [None] * len(places)
        for dataset in sorted({dataset for dataset, _ in places}):
            slots = [slot for slot, place in enumerate(places) if place[0] == dataset]
            items = self.datasets[dataset].__getitems__([places[slot][1] for slot in slots])
            for slot, item in zip(slots, items, strict=True):
                found[slot] = item
        return found


class _Wrapper(_Outer):
    """What data sets around one other data set share."""

    def __init__(self, dataset: Any, lazy_init: bool) -> None:
        self.dataset = _ready(dataset, type(self).__name__)
        self._metainfo = self.dataset.metainfo
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def _inner_datasets(self) -> list[Any]:
        return [self.dataset]

    @force_full_init
    def _get_ori_dataset_idx(self, idx: int) -> int:
        raise NotImplementedError

    def _place_of(self, idx: int) -> tuple[Any, int]:
        return self.dataset, self._get_ori_dataset_idx(idx)

    def __getitems__(self, indices: Sequence[int]) -> Any:
        """Items in one call of the data set inside, where it loads batches."""
        if not loads_batches(self):
            return [self[idx] for idx in indices]
        return self.dataset.__getitems__([self._get_ori_dataset_idx(idx) for idx in indices])


@DATASETS.register_module()
class RepeatDataset(_Wrapper):
    """A data set repeated, so that an epoch is longer.

    Args:
        dataset: The data set, or its dict.
        times: How often.
        lazy_init: Whether to put off loading the annotations.

    Example:
        >>> class Words(BaseDataset):
        ...     METAINFO = dict(classes=["short", "long"])
        ...
        ...     def load_data_list(self):
        ...         return [dict(word=word, label=len(word) // 4) for word in ("a", "of", "word")]
        >>> twice = RepeatDataset(Words(), times=2)
        >>> len(twice), twice[4]["word"]
        (6, 'of')
    """

    def __init__(
        self, dataset: _LoadedLate | Mapping[str, Any], times: int, lazy_init: bool = False
    ) -> None:
        self.times = times
        super().__init__(dataset, lazy_init)

    def _prepare(self) -> None:
        self._ori_len = len(self.dataset)

    @force_full_init
    def _get_ori_dataset_idx(self, idx: int) -> int:
        return idx % self._ori_len

    @force_full_init
    def __len__(self) -> int:
        return self.times * self._ori_len


@DATASETS.register_module()
class ClassBalancedDataset(_Wrapper):
    """A data set in which items of rare classes are repeated.

    An item is repeated ``max(1, sqrt(oversample_thr / f))`` times, where f is the share of items in
    which its rarest class occurs (Gupta, Dollar and Girshick, "LVIS", 2019, appendix B).

    Args:
        dataset: The data set, or its dict; it needs `get_cat_ids`.
        oversample_thr: Share below which a class counts as rare.
        lazy_init: Whether to put off loading the annotations.

    Example:
        >>> class Words(BaseDataset):
        ...     METAINFO = dict(classes=["short", "long"])
        ...
        ...     def load_data_list(self):
        ...         return [dict(word=word, label=len(word) // 4) for word in ("a", "of", "word")]
        ...
        ...     def get_cat_ids(self, idx):
        ...         return [self.get_data_info(idx)["label"]]
        >>> balanced = ClassBalancedDataset(Words(), oversample_thr=0.9)
        >>> [balanced[index]["word"] for index in range(len(balanced))]
        ['a', 'a', 'of', 'of', 'word', 'word']
    """

    def __init__(
        self,
        dataset: _LoadedLate | Mapping[str, Any],
        oversample_thr: float,
        lazy_init: bool = False,
    ) -> None:
        self.oversample_thr = oversample_thr
        super().__init__(dataset, lazy_init)

    def _prepare(self) -> None:
        factors = self._get_repeat_factors(self.dataset, self.oversample_thr)
        self.repeat_indices = [
            index for index, factor in enumerate(factors) for _ in range(math.ceil(factor))
        ]

    def _get_repeat_factors(self, dataset: Any, repeat_thr: float) -> list[float]:
        frequency: defaultdict[int, float] = defaultdict(float)
        classes = [set(dataset.get_cat_ids(index)) for index in range(len(dataset))]
        for found in classes:
            for category in found:
                frequency[category] += 1.0
        factor_of = {
            category: max(1.0, math.sqrt(repeat_thr / (count / len(dataset))))
            for category, count in frequency.items()
        }
        return [max((factor_of[c] for c in found), default=1.0) for found in classes]

    @force_full_init
    def _get_ori_dataset_idx(self, idx: int) -> int:
        return self.repeat_indices[idx]

    @force_full_init
    def __len__(self) -> int:
        return len(self.repeat_indices)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Classes that occur in an item."""
        ids: list[int] = self.dataset.get_cat_ids(self._get_ori_dataset_idx(idx))
        return ids
