"""What a profile measured, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mainspring.tools.profiling.matmul_peak import MatmulPeak
from mainspring.tools.profiling.module_times import ModuleTime

__all__ = ["Measurement", "Occasional", "Section", "Setup"]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an iteration.

    Attributes:
        mean: Seconds of an iteration, on average.
        median: Seconds of the iteration in the middle.
        share: Part of the time of all iterations, 0 to 1.
    """

    mean: float
    median: float
    share: float


@dataclass(frozen=True, slots=True)
class Occasional:
    """What happens between some iterations: a validation, or a checkpoint.

    Attributes:
        seconds: Seconds of one.
        every: Iterations between two; 0 for one that the run never makes.
        measured: Part of it that was measured, 0 to 1; the rest is extrapolated.
        unit: What its interval is counted in, ``epochs`` or ``iterations``.
        interval: The interval, in that unit.
    """

    seconds: float
    every: int
    measured: float = 1.0
    unit: str = "iterations"
    interval: int = 0

    @property
    def rhythm(self) -> str:
        """How often it happens, in words."""
        if not self.every:
            return "only at the end"
        if self.interval == 1:
            return f"every {self.unit.removesuffix('s')}"
        return f"every {self.interval} {self.unit}"

    @property
    def per_iteration(self) -> float:
        """Seconds that it adds to each iteration, on average."""
        return self.seconds / self.every if self.every else 0.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What the run is made of, as far as advice depends on it.

    Attributes:
        batch_size: Samples of a batch; ``None`` if unknown.
        num_workers: Processes that load data.
        persistent_workers: Whether they stay over epochs.
        pin_memory: Whether batches lie in pinned memory.
        cores: Cores that this process may use.
        epoch_length: Iterations of an epoch; ``None`` if unknown.
        first_wait: Seconds that the first batch of a pass took.
        handover: Seconds that a worker takes to hand a batch over, however cheap it is to load; 0
            if not measured.
        loading: Seconds of loading a batch in the training process; ``None`` if not measured.
        optimizer: Class of the optimizer; empty if there are several.
        fused: Whether the optimizer is fused.
        can_be_fused: Whether its class can be.
        precision: Type of the forward pass, such as ``float32``.
        autocast: Whether the forward pass runs under autocast.
        compiled: Whether the config compiles something.
        convolutions: Whether the model has convolutions.
        cudnn_benchmark: Whether the fastest convolution algorithm is searched for.
        log_interval: Iterations between two log lines; 0 without any.
        async_save: Whether checkpoints are written in the background; ``None`` if they cannot be.
    """

    batch_size: int | None = None
    num_workers: int = 0
    persistent_workers: bool = False
    pin_memory: bool = False
    cores: int = 1
    epoch_length: int | None = None
    first_wait: float = 0.0
    handover: float = 0.0
    loading: float | None = None
    optimizer: str = ""
    fused: bool = False
    can_be_fused: bool = False
    precision: str = "float32"
    autocast: bool = False
    compiled: bool = False
    convolutions: bool = False
    cudnn_benchmark: bool = False
    log_interval: int = 0
    async_save: bool | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a profile measured.

    Attributes:
        device: ``cpu`` or ``cuda``.
        device_name: Its name, for people.
        iterations: Iterations that were timed.
        mean: Seconds of an iteration, on average.
        median: Seconds of the iteration in the middle.
        sections: Parts of an iteration by name; they add up to `mean`.
        hooks: Seconds of an iteration by class of hook, logging hooks aside.
        steady_hooks: The same without the one iteration in which a hook took longest, so that a
            single stall of the machine is no reason to change a hook.
        max_iters: Iterations of the whole run.
        memory: Bytes at the peak.
        validation: The validation; ``None`` without one.
        checkpoint: The checkpoint; ``None`` without one.
        flops: Floating point operations of an iteration; ``None`` if not counted.
        calls: Calls of operators of an iteration; ``None`` if not counted.
        peak: The matrix product to compare with; ``None`` if not measured.
        modules: Modules of the model, slowest first.
        setup: What the run is made of.
        not_compiled: Why a step that was to be compiled as a whole is not; ``None`` if it is, or
            was not to be.
    """

    device: str
    device_name: str
    iterations: int
    mean: float
    median: float
    sections: Mapping[str, Section]
    hooks: Mapping[str, float] = field(default_factory=dict)
    steady_hooks: Mapping[str, float] = field(default_factory=dict)
    max_iters: int = 0
    memory: int = 0
    validation: Occasional | None = None
    checkpoint: Occasional | None = None
    flops: int | None = None
    calls: int | None = None
    peak: MatmulPeak | None = None
    modules: Sequence[ModuleTime] = ()
    setup: Setup = field(default_factory=Setup)
    not_compiled: str | None = None

    def share(self, *sections: str) -> float:
        """The part of an iteration that sections take together, 0 to 1."""
        return sum(self.sections[name].share for name in sections if name in self.sections)

    @property
    def computing(self) -> float:
        """The part of an iteration that forward and backward pass take."""
        return self.share("forward", "backward", "compiled step")

    @property
    def per_iteration(self) -> float:
        """Seconds of an iteration with what happens between iterations, spread over all."""
        others = [item.per_iteration for item in (self.validation, self.checkpoint) if item]
        return self.mean + sum(others)

    @property
    def achieved(self) -> float | None:
        """Floating point operations a second, as a part of the peak."""
        if not self.flops or self.peak is None or not self.mean:
            return None
        return self.flops / self.mean / self.peak.flops_per_second
