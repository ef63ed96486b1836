"""Adapters of the package `peft`, such as LoRA, in a model whose own weights are frozen."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from mainspring.errors import ConfigError, did_you_mean, mark_user_mistake
from mainspring.names.packages import import_optional
from mainspring.registry import MODELS

__all__ = ["merged_adapters", "with_adapters"]

ModelT = TypeVar("ModelT", bound=nn.Module)


@MODELS.register_module()
def with_adapters(
    model: ModelT | Mapping[str, Any], config: Any, adapter_name: str = "default"
) -> ModelT:
    """Put adapters into a model and freeze all other weights.

    The model stays the object that it is, with its methods; ``PART.weight`` of an adapted part is
    ``PART.base_layer.weight`` afterwards, and weights of before fit all the same. Its initial
    weights are made now, so that they are below the adapters.

    Args:
        model: The model, or a part of one; a dict is built.
        config: What `peft` takes: ``LoraConfig(...)``, or a dict with ``type="peft.LoraConfig"``.
        adapter_name: The adapters' name.

    Returns:
        The model.

    Raises:
        MissingPackageError: `peft` is not installed.
        ConfigError: A name among ``target_modules`` or ``modules_to_save`` is no part of the model.

    Example:
        ``model = Supervised(with_adapters(Net(), LoraConfig(target_modules=["fc"])), loss)``
    """
    peft = import_optional("peft", "with_adapters", "mainspring[peft]")
    built: Any = MODELS.build(model) if isinstance(model, Mapping) else model
    settings: Any = MODELS.build(config) if isinstance(config, Mapping) else copy.copy(config)
    for setting in ("target_modules", "modules_to_save"):
        _require_parts(built, setting, getattr(settings, setting, None))
    if hasattr(built, "init_weights") and not getattr(built, "is_init", True):
        built.init_weights()
    try:
        built = peft.inject_adapter_in_model(settings, built, adapter_name)
    except ValueError as error:
        raise mark_user_mistake(error) from None
    for part in list(built.modules()):
        if isinstance(part, _kinds()):
            part.register_load_state_dict_pre_hook(_take_weights_of_before)
    adapted: ModelT = built
    return adapted


def merged_adapters(model: ModelT) -> ModelT:
    """A model with its adapters added to the weights below them; itself where it has none.

    Args:
        model: The model; changed.
    """
    parts: dict[str, Any] = {
        n: part for n, part in model.named_modules() if isinstance(part, _kinds())
    }
    for name, part in parts.items():
        if any(name.startswith(f"{outer}.") for outer in parts):
            continue
        if hasattr(part, "unload_and_optionally_merge_module"):
            whole = part.unload_and_optionally_merge_module(
                merge=True, safe_merge=False, adapter_names=None
            )
        else:
            part.merge()
            whole = part.get_base_layer()
        owner, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(owner), attribute, whole)
    return model


def _kinds() -> tuple[type[Any], ...]:
    """What `peft` puts in the place of parts; nothing where nobody has imported it."""
    tuners: Any = sys.modules.get("peft.tuners.tuners_utils")
    return () if tuners is None else (tuners.BaseTunerLayer, tuners.AuxiliaryTrainingWrapper)


def _require_parts(model: nn.Module, setting: str, wanted: Any) -> None:
    """Refuse names that match nothing: `peft` passes over them where another name matches."""
    if not isinstance(wanted, list | tuple | set | frozenset):
        return  # a pattern, or what the kind of model says
    names = [f".{name}" for name, _ in model.named_modules() if name]
    for part in wanted:
        if not any(name.endswith(f".{part}") for name in names):
            last = sorted({name.rpartition(".")[2] for name in names})
            raise ConfigError(
                f"{setting} has {part!r}, but {type(model).__name__} has no part of that name",
                help=did_you_mean(part, last) or f"its parts are {', '.join(last)}",
            )


def _take_weights_of_before(part: Any, state_dict: dict[str, Any], prefix: str, *_: object) -> None:
    """Let weights of a model without adapters fit: below the adapters, which stay as they are."""
    below = "base_layer" if hasattr(part, "base_layer") else "original_module"
    base: nn.Module | None = getattr(part, below, None)
    own = {} if base is None else base.state_dict()
    if not own or not all(f"{prefix}{name}" in state_dict for name in own):
        return
    before = {name: state_dict.pop(f"{prefix}{name}") for name in own}
    for name, value in part.state_dict().items():
        inside = name.partition(".")[2]
        is_copy = name.startswith("modules_to_save.")
        inside = inside.partition(".")[2] if is_copy else inside
        is_before = is_copy or name.startswith(f"{below}.")
        state_dict.setdefault(f"{prefix}{name}", before[inside] if is_before else value)
