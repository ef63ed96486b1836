"""Named values of one sample, in two sets: data, which moves between devices, and metainfo."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import torch

from mainspring.errors import ArgumentTypeError, ArgumentValueError

__all__ = ["BaseDataElement"]

_SETS = ("_metainfo_fields", "_data_fields")


class BaseDataElement:
    """A container for what is known of a sample: annotations, predictions, and facts about it.

    Data fields (boxes, masks, scores) are attributes; assigning an attribute makes one. Metainfo
    fields (image size, file name) are set with `set_metainfo`, and are copied when they are set. No
    name may be in both sets.

    Args:
        metainfo: Metainfo fields by name.
        **kwargs: Data fields.

    Example:
        >>> sample = BaseDataElement(metainfo=dict(img_shape=(8, 6)), label=torch.tensor(3))
        >>> sample.img_shape, sample.label.item(), sample.keys()
        ((8, 6), 3, ['label'])
    """

    def __init__(self, *, metainfo: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self._metainfo_fields: set[str] = set()
        self._data_fields: set[str] = set()
        if metainfo is not None:
            self.set_metainfo(metainfo=metainfo)
        if kwargs:
            self.set_data(kwargs)

    def set_metainfo(self, metainfo: dict[str, Any]) -> None:
        """Set metainfo fields; the values are copied.

        Raises:
            ArgumentTypeError: `metainfo` is no dict.
            AttributeError: A name is a data field already.
        """
        if not isinstance(metainfo, dict):
            raise ArgumentTypeError(f"metainfo is a dict, not {type(metainfo).__name__}")
        for name, value in copy.deepcopy(metainfo).items():
            self.set_field(value, name, field_type="metainfo")

    def set_data(self, data: dict[str, Any]) -> None:
        """Set data fields.

        Raises:
            ArgumentTypeError: `data` is no dict.
        """
        if not isinstance(data, dict):
            raise ArgumentTypeError(f"data is a dict, not {type(data).__name__}")
        for name, value in data.items():
            setattr(self, name, value)

    def update(self, instance: BaseDataElement) -> None:
        """Take all fields of another element over.

        Raises:
            ArgumentTypeError: `instance` is no data element.
        """
        if not isinstance(instance, BaseDataElement):
            raise ArgumentTypeError(
                f"update takes a BaseDataElement, not {type(instance).__name__}"
            )
        self.set_metainfo(dict(instance.metainfo_items()))
        self.set_data(dict(instance.items()))

    def new(self, *, metainfo: dict[str, Any] | None = None, **kwargs: Any) -> Self:
        """An element of the same class, with the given fields or else those of this one."""
        made = type(self)()
        made.set_metainfo(metainfo if metainfo is not None else dict(self.metainfo_items()))
        made.set_data(kwargs or dict(self.items()))
        return made

    def clone(self) -> Self:
        """An element with the same fields; metainfo is copied, the values of data are shared."""
        return self.new()

    def keys(self) -> list[str]:
        """Names of the data fields.

        Those with a leading underscore that a property of the class shows are left out.
        """
        hidden = {
            f"_{name}" for name, item in vars(type(self)).items() if isinstance(item, property)
        }
        return [name for name in self._in_order(self._data_fields) if name not in hidden]

    def _in_order(self, fields: set[str]) -> list[str]:
        """Names in the order in which they were set; that of a set differs between processes."""
        order = {name: index for index, name in enumerate(self.__dict__)}
        # A field that a property shows is kept under the property's name with an underscore.
        return sorted(
            fields, key=lambda name: (order.get(name, order.get(f"_{name}", len(order))), name)
        )

    def metainfo_keys(self) -> list[str]:
        """Names of the metainfo fields."""
        return self._in_order(self._metainfo_fields)

    def values(self) -> list[Any]:
        """Values of the data fields."""
        return [getattr(self, name) for name in self.keys()]

    def metainfo_values(self) -> list[Any]:
        """Values of the metainfo fields."""
        return [getattr(self, name) for name in self.metainfo_keys()]

    def items(self) -> Iterator[tuple[str, Any]]:
        """Names and values of the data fields."""
        for name in self.keys():
            yield name, getattr(self, name)

    def metainfo_items(self) -> Iterator[tuple[str, Any]]:
        """Names and values of the metainfo fields."""
        for name in self.metainfo_keys():
            yield name, getattr(self, name)

    def all_keys(self) -> list[str]:
        """Names of all fields."""
        return self.metainfo_keys() + self.keys()

    def all_values(self) -> list[Any]:
        """Values of all fields."""
        return self.metainfo_values() + self.values()

    def all_items(self) -> Iterator[tuple[str, Any]]:
        """Names and values of all fields."""
        for name in self.all_keys():
            yield name, getattr(self, name)

    @property
    def metainfo(self) -> dict[str, Any]:
        """The metainfo fields by name."""
        return dict(self.metainfo_items())

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _SETS:
            if name in self.__dict__:
                raise AttributeError(f"{name} belongs to {type(self).__name__} itself")
            super().__setattr__(name, value)
            return
        self.set_field(value, name, field_type="data")

    def __delattr__(self, name: str) -> None:
        if name in _SETS:
            raise AttributeError(f"{name} belongs to {type(self).__name__} itself")
        super().__delattr__(name)
        self._metainfo_fields.discard(name)
        self._data_fields.discard(name)

    __delitem__ = __delattr__

    def get(self, key: str, default: Any = None) -> Any:
        """A field, or `default` when there is none of that name."""
        return getattr(self, key, default)

    def pop(self, *args: Any) -> Any:
        """Remove a field and return it: ``pop(name)`` or ``pop(name, default)``.

        Raises:
            KeyError: There is no such field and no default.
        """
        if not 1 <= len(args) <= 2:
            raise ArgumentTypeError(
                f"pop takes a name and perhaps a default, not {len(args)} arguments"
            )
        name = args[0]
        for fields in (self._metainfo_fields, self._data_fields):
            if name in fields:
                fields.remove(name)
                return self.__dict__.pop(name)
        if len(args) == 2:
            return args[1]
        raise KeyError(name)

    def __contains__(self, item: str) -> bool:
        return item in self._data_fields or item in self._metainfo_fields

    def set_field(
        self,
        value: Any,
        name: str,
        dtype: type | tuple[type, ...] | None = None,
        field_type: str = "data",
    ) -> None:
        """Set a field; what properties of subclasses use.

        Args:
            value: The value.
            name: Name of the field.
            dtype: Type that the value must have, if any.
            field_type: ``"data"`` or ``"metainfo"``.

        Raises:
            ArgumentTypeError: The value has another type than `dtype`.
            AttributeError: The name is in the other set.
        """
        if field_type not in ("data", "metainfo"):
            raise ArgumentValueError(f"field_type is 'data' or 'metainfo', not {field_type!r}")
        if dtype is not None and not isinstance(value, dtype):
            raise ArgumentTypeError(f"{name} is a {type(value).__name__}, but must be {dtype}")
        own, other = self._data_fields, self._metainfo_fields
        if field_type == "metainfo":
            own, other = other, own
        if name in other:
            raise AttributeError(
                f"{type(self).__name__} has {name!r} already, as "
                f"{'metainfo' if field_type == 'data' else 'data'}"
            )
        own.add(name)
        super().__setattr__(name, value)

    def _converted(self, convert: Callable[[Any], Any]) -> Self:
        """A new element whose data fields are converted; metainfo stays."""
        made = self.new()
        for name, value in self.items():
            made.set_data({name: convert(value)})
        return made

    def _called(self, method: str, *args: Any, **kwargs: Any) -> Self:
        return self._converted(
            lambda value: (
                getattr(value, method)(*args, **kwargs) if hasattr(value, method) else value
            )
        )

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """A new element with tensors moved or cast, as in `torch.Tensor.to`."""
        return self._called("to", *args, **kwargs)

    def cpu(self) -> Self:
        """A new element with tensors on the CPU."""
        return self._called("cpu")

    def cuda(self) -> Self:
        """A new element with tensors on the CUDA device."""
        return self._called("cuda")

    def npu(self) -> Self:
        """A new element with tensors on the Ascend device."""
        return self._called("npu")

    def mlu(self) -> Self:
        """A new element with tensors on the Cambricon device."""
        return self._called("mlu")

    def musa(self) -> Self:
        """A new element with tensors on the Moore Threads device."""
        return self._called("musa")

    def detach(self) -> Self:
        """A new element with tensors detached from the graph."""
        return self._called("detach")

    def numpy(self) -> Self:
        """A new element with tensors as NumPy arrays."""

        def as_array(value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                return value.detach().cpu().numpy()
            return value.numpy() if isinstance(value, BaseDataElement) else value

        return self._converted(as_array)

    def to_tensor(self) -> Self:
        """A new element with NumPy arrays as tensors."""

        def as_tensor(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                return torch.from_numpy(value)
            return value.to_tensor() if isinstance(value, BaseDataElement) else value

        return self._converted(as_tensor)

    def to_dict(self) -> dict[str, Any]:
        """All fields as a dict, elements inside included."""
        return {
            name: value.to_dict() if isinstance(value, BaseDataElement) else value
            for name, value in self.all_items()
        }

    def __repr__(self) -> str:
        def shown(items: Iterator[tuple[str, Any]]) -> list[str]:
            return [
                "    " + f"{name}: {value!r}".replace("\n", "\n        ") for name, value in items
            ]

        lines = [
            f"<{type(self).__name__}(",
            "",
            "    META INFORMATION",
            *shown(self.metainfo_items()),
            "",
            "    DATA FIELDS",
            *shown(self.items()),
            f") at {hex(id(self))}>",
        ]
        return "\n".join(lines)
