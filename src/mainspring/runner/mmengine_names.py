"""Names of MMEngine's runner that programs written for it use, and nothing in mainspring needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.rng.seeding import set_random_seed
from mainspring.runner.building.assembly import Assembly
from mainspring.runner.building.environment import set_up_environment
from mainspring.runner.console.startup_log import dump_config

__all__ = ["MMEngineNames"]


class MMEngineNames(Assembly):
    """What `Runner` inherits for the sake of such programs alone."""

    _model_name: str

    @property
    def model_name(self) -> str:
        """Class name of the model."""
        return self._model_name

    @property
    def _hooks(self) -> list[Any]:
        return self.hooks

    @_hooks.setter
    def _hooks(self, hooks: list[Any]) -> None:
        self._dispatch.hooks = hooks
        self._dispatch.refresh()

    def setup_env(self, env_cfg: Mapping[str, Any]) -> None:
        """Prepare backends, worker start method and process group."""
        set_up_environment(env_cfg, self._launcher)

    def set_randomness(
        self, seed: int | None, diff_rank_seed: bool = False, deterministic: bool = False
    ) -> None:
        """Seed all generators and take the seed over as the run's."""
        self._seed = set_random_seed(seed, deterministic, diff_rank_seed)

    def register_hooks(
        self,
        default_hooks: Mapping[str, Any] | None = None,
        custom_hooks: Sequence[Any] | None = None,
    ) -> None:
        """Add default hooks, then custom ones."""
        self.register_default_hooks(default_hooks)
        if custom_hooks is not None:
            self.register_custom_hooks(custom_hooks)

    def dump_config(self) -> None:
        """Write the resolved config into the work directory."""
        dump_config(self)
