"""The initialisers that an ``init_cfg`` names in its ``type``."""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

from torch import nn

from mainspring.checkpoint import _load_checkpoint_with_prefix, load_checkpoint, load_state_dict
from mainspring.errors import did_you_mean
from mainspring.logging import print_log, warn
from mainspring.model.weight_init.functions import (
    Distribution,
    FanMode,
    bias_init_with_prob,
    check_distribution,
    constant_init,
    kaiming_init,
    normal_init,
    trunc_normal_init,
    uniform_init,
    xavier_init,
)
from mainspring.model.weight_init.report import update_init_info
from mainspring.registry import WEIGHT_INITIALIZERS

__all__ = [
    "BaseInit",
    "Caffe2XavierInit",
    "ConstantInit",
    "KaimingInit",
    "NormalInit",
    "PretrainedInit",
    "TruncNormalInit",
    "UniformInit",
    "XavierInit",
]


class _Common(TypedDict, total=False):
    bias: float
    bias_prob: float | None
    layer: str | list[str] | None


class BaseInit:
    """Base of the initialisers: which layers, and what for the bias.

    Called with a module, an initialiser visits it and everything in it (children first) and fills
    each layer whose class, or a direct base of it, is named in `layer`.

    Args:
        bias: Value for the bias.
        bias_prob: Probability that a sigmoid on top should start with; decides the bias instead of
            `bias` when given.
        layer: Name or names of layer classes. Without it only an ``override`` is initialised.

    Raises:
        TypeError: An argument has another type than documented.
    """

    def __init__(
        self,
        *,
        bias: float = 0,
        bias_prob: float | None = None,
        layer: str | list[str] | None = None,
    ) -> None:
        self.wholemodule = False
        if not isinstance(bias, int | float):
            raise TypeError(f"bias must be a number, but got {bias!r} ({type(bias).__name__})")
        if bias_prob is not None and not isinstance(bias_prob, float):
            raise TypeError(f"bias_prob must be a float, but got {bias_prob!r}")
        if layer is not None and not isinstance(layer, str | list):
            raise TypeError(f"layer must be a str or a list of str, but got {layer!r}")
        self.bias = bias if bias_prob is None else bias_init_with_prob(bias_prob)
        self.layer: list[str] = [layer] if isinstance(layer, str) else list(layer or [])

    def __call__(self, module: nn.Module) -> None:
        """Initialise the layers of a module that this initialiser is for."""
        names = {name for part in module.modules() for name in _class_names(part)}
        unknown = names.isdisjoint(self.layer) and not self.wholemodule
        for layer in self.layer if unknown else ():
            if hint := did_you_mean(layer, names, cutoff=0.85):
                whose = type(module).__name__
                warn(f"init_cfg of {whose} has no effect: no layer is a {layer}; {hint}")
        module.apply(self._visit)
        update_init_info(module, self._get_init_info())

    def fill(self, module: nn.Module) -> None:
        """Initialise one layer; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to fill a layer")

    def _visit(self, module: nn.Module) -> None:
        if self.wholemodule or any(name in self.layer for name in _class_names(module)):
            self.fill(module)

    def _get_init_info(self) -> str:
        shown = {
            name: value
            for name, value in vars(self).items()
            if name not in {"wholemodule", "layer"}
        }
        settings = ", ".join(f"{name}={value}" for name, value in shown.items())
        return f"{type(self).__name__}: {settings}"


@WEIGHT_INITIALIZERS.register_module(name="Constant")
class ConstantInit(BaseInit):
    """Fill weights with a constant.

    Args:
        val: Value for the weight.
        **common: `bias`, `bias_prob` and `layer`, see `BaseInit`.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> ConstantInit(val=0.5, bias=1, layer="Linear")(layer)
        >>> layer.weight.unique().tolist(), layer.bias.unique().tolist()
        ([0.5], [1.0])
    """

    def __init__(self, val: float, **common: Unpack[_Common]) -> None:
        super().__init__(**common)
        self.val = val

    def fill(self, module: nn.Module) -> None:
        """Initialise one layer."""
        constant_init(module, self.val, self.bias)


@WEIGHT_INITIALIZERS.register_module(name="Xavier")
class XavierInit(BaseInit):
    """Glorot initialisation, see `xavier_init`.

    Args:
        gain: Factor on the standard deviation.
        distribution: ``"normal"`` or ``"uniform"``.
        **common: `bias`, `bias_prob` and `layer`, see `BaseInit`.

    Example:
        >>> layer = nn.Linear(200, 200)
        >>> XavierInit(layer="Linear")(layer)
        >>> round(layer.weight.std().item(), 2)
        0.07
    """

    def __init__(
        self,
        gain: float = 1,
        distribution: Distribution = "normal",
        **common: Unpack[_Common],
    ) -> None:
        super().__init__(**common)
        check_distribution(distribution)
        self.gain = gain
        self.distribution: Distribution = distribution

    def fill(self, module: nn.Module) -> None:
        """Initialise one layer."""
        xavier_init(module, self.gain, self.bias, self.distribution)


@WEIGHT_INITIALIZERS.register_module(name="Normal")
class NormalInit(BaseInit):
    """Draw weights from a normal distribution.

    Args:
        mean: Mean of the distribution.
        std: Its standard deviation.
        **common: `bias`, `bias_prob` and `layer`, see `BaseInit`.

    Example:
        >>> layer = nn.Linear(200, 200)
        >>> NormalInit(std=0.02, layer="Linear")(layer)
        >>> round(layer.weight.std().item(), 2)
        0.02
    """

    def __init__(self, mean: float = 0, std: float = 1, **common: Unpack[_Common]) -> None:
        super().__init__(**common)
        self.mean = mean
        self.std = std

    def fill(self, module: nn.Module) -> None:
        """Initialise one layer."""
        normal_init(module, self.mean, self.std, self.bias)


@WEIGHT_INITIALIZERS.register_module(name="TruncNormal")
class TruncNormalInit(BaseInit):
    """Draw weights from a normal distribution cut to ``[a, b]``.

    Args:
        mean: Mean before cutting.
        std: Standard deviation before cutting.
        a: Lower bound.
        b: Upper bound.
        **common: `bias`, `bias_prob` and `layer`, see `BaseInit`.

    Example:
        >>> layer = nn.Linear(200, 200)
        >>> TruncNormalInit(std=0.02, a=-0.04, b=0.04, layer="Linear")(layer)
        >>> bool(layer.weight.abs().max() <= 0.04)
        True
    """

    def __init__(
        self,
        mean: float = 0,
        std: float = 1,
        a: float = -2,
        b: float = 2,
        **common: Unpack[_Common],
    ) -> None:
        super().__init__(**common)
        self.mean = mean
        self.std = std
        self.a = a
        self.b = b

    def fill(self, module: nn.Module) -> None:
        """Initialise one layer."""
        trunc_normal_init(module, self.mean, self.std, self.a, self.b, self.bias)


@WEIGHT_INITIALIZERS.register_module(name="Uniform")
class UniformInit(BaseInit):
    """Draw weights uniformly from ``[a, b)``.

    Args:
        a: Lower bound.
        b: Upper bound.
        **common: `bias`, `bias_prob` and `layer`, see `BaseInit`.

    Example:
        >>> layer = nn.Linear(200, 200)
        >>> UniformInit(a=-0.1, b=0.1, layer="Linear")(layer)
        >>> bool(layer.weight.abs().max() <= 0.1)
        True
    """

    def __init__(self, a: float = 0, b: float = 1, **common: Unpack[_Common]) -> None:
        super().__init__(**common)
        self.a = a
        self.b = b

    def fill(self, module: nn.Module) -> None:
        """Initialise one layer."""
        uniform_init(module, self.a, self.b, self.bias)


@WEIGHT_INITIALIZERS.register_module(name="Kaiming")
class KaimingInit(BaseInit):
    """He initialisation, see `kaiming_init`.

    Args:
        a: Negative slope of the rectifier, used with ``nonlinearity="leaky_relu"``.
        mode: ``"fan_in"`` or ``"fan_out"``.
        nonlinearity: Name as in `torch.nn.init.calculate_gain`.
        distribution: ``"normal"`` or ``"uniform"``.
        **common: `bias`, `bias_prob` and `layer`, see `BaseInit`.

    Example:
        >>> layer = nn.Linear(200, 200)
        >>> KaimingInit(layer="Linear")(layer)
        >>> round(layer.weight.std().item(), 2)
        0.1
    """

    def __init__(
        self,
        a: float = 0,
        mode: FanMode = "fan_out",
        nonlinearity: str = "relu",
        distribution: Distribution = "normal",
        **common: Unpack[_Common],
    ) -> None:
        super().__init__(**common)
        check_distribution(distribution)
        self.a = a
        self.mode: FanMode = mode
        self.nonlinearity = nonlinearity
        self.distribution: Distribution = distribution

    def fill(self, module: nn.Module) -> None:
        """Initialise one layer."""
        kaiming_init(module, self.a, self.mode, self.nonlinearity, self.bias, self.distribution)


@WEIGHT_INITIALIZERS.register_module(name="Caffe2Xavier")
class Caffe2XavierInit(KaimingInit):
    """What Caffe2 calls XavierFill, see `caffe2_xavier_init`.

    Args:
        **common: `bias`, `bias_prob` and `layer`, see `BaseInit`.

    Example:
        >>> layer = nn.Linear(200, 200)
        >>> Caffe2XavierInit(layer="Linear")(layer)
        >>> round(layer.weight.std().item(), 2)
        0.07
    """

    def __init__(self, **common: Unpack[_Common]) -> None:
        super().__init__(1, "fan_in", "leaky_relu", "uniform", **common)


@WEIGHT_INITIALIZERS.register_module(name="Pretrained")
class PretrainedInit:
    """Load weights from a checkpoint; keys that do not fit are reported, not fatal.

    Args:
        checkpoint: Path or URI, see `mainspring.checkpoint.CheckpointLoader`.
        prefix: Load only the keys below this prefix, with the prefix cut off, such as
            ``"backbone."`` to take the backbone out of a detector.
        map_location: As in `torch.load`.

    Example:
        >>> source, model = nn.Linear(2, 2), nn.Linear(2, 2)
        >>> torch.save(source.state_dict(), "linear.pth")
        >>> PretrainedInit("linear.pth")(model)
        >>> torch.equal(model.weight, source.weight)
        True
    """

    def __init__(
        self, checkpoint: str, prefix: str | None = None, map_location: Any = "cpu"
    ) -> None:
        self.checkpoint = checkpoint
        self.prefix = prefix
        self.map_location = map_location

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into a module."""
        if self.prefix is None:
            print_log(f"load model from: {self.checkpoint}", logger="current")
            load_checkpoint(
                module,
                self.checkpoint,
                map_location=self.map_location,
                strict=False,
                logger="current",
            )
        else:
            print_log(f"load {self.prefix} in model from: {self.checkpoint}", logger="current")
            state = _load_checkpoint_with_prefix(
                self.prefix, self.checkpoint, map_location=self.map_location
            )
            load_state_dict(module, state, strict=False, logger="current")
        update_init_info(module, self._get_init_info())

    def _get_init_info(self) -> str:
        return f"{type(self).__name__}: load from {self.checkpoint}"


def _class_names(module: nn.Module) -> list[str]:
    """Names by which a ``layer`` setting may mean a module: its class and the direct bases."""
    kind = type(module)
    return [kind.__name__, *(base.__name__ for base in kind.__bases__)]
