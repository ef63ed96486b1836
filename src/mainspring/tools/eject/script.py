"""Writes a training as one script of plain PyTorch."""

from __future__ import annotations

import inspect
import os
import re
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.optim import AmpOptimWrapper
from mainspring.optim.scheduler import curves
from mainspring.tools.eject import helpers
from mainspring.tools.eject.making import Making
from mainspring.tools.eject.parts import Parts
from mainspring.version import __version__

__all__ = ["write_script"]


class _Script(Making):
    """The script of a run: what `Making` makes, the steps, validation, and the loop."""

    def text(self) -> str:
        """The whole script."""
        self.constants.append(f"SEED = {self.parts.runner.seed}")
        length = self.parts.loop.max_epochs if self.by_epoch else self.parts.loop.max_iters
        self.constants.append(f"{'EPOCHS' if self.by_epoch else 'ITERATIONS'} = {length}")
        self.constants.append('DEVICE = "cuda" if torch.cuda.is_available() else "cpu"')
        loaders = self._loaders()
        make = self._make()
        step = self._step()
        validate = self._validate()
        train = self._train(make, step, validate is not None)
        copied = [self._helper(name) for name in self.helpers]
        functions = [*copied, *self.own_helpers, loaders, *([validate] if validate else []), train]
        body = "\n\n\n".join(textwrap.dedent(part).strip("\n") for part in functions)
        head = [self._header(), "", "from __future__ import annotations", "", *self._imports(), ""]
        head += self.constants
        return "\n".join(head) + f"\n\n\n{body}\n\n\n" + 'if __name__ == "__main__":\n    train()\n'

    def _header(self) -> str:
        parts = self.parts
        name = type(parts.network).__name__
        lines = [
            f'"""Train what {self.config} describes, in plain PyTorch.',
            "",
            f"Ejected by mainspring {__version__}, which computes the same losses and weights, to",
            "the last bit.",
        ]
        if not (parts.is_supervised or parts.returns_loss):
            lines += [
                f"{name} computes its losses itself: its module imports mainspring for the",
                "base class, this script does not.",
            ]
        if parts.cfg.get("randomness", {}).get("seed") is None:
            lines.append("The config gives no seed; 0 was taken.")
        if parts.left_out:
            lines += ["", "Left out, so that losses may differ:"]
            lines += [f"- {path}: {what}" for path, what in parts.left_out]
        return "\n".join([*lines, '"""'])

    def _imports(self) -> list[str]:
        """Import lines in three groups: Python's, installed packages', and the user's own."""
        groups: tuple[list[str], ...] = ([], [], [])
        folders = [f for f in self.write.folders() if f != self.target.parent.resolve()]
        if folders:
            self.standard.add("import sys")
            self.write.imports.setdefault("pathlib", set()).add("Path")
        self.write.imports.setdefault("torch", set()).update(("Tensor", "nn"))
        lines = sorted(self.standard)
        for module in sorted(self.write.imports):
            lines.append(f"from {module} import {', '.join(sorted(self.write.imports[module]))}")
        for line in lines:
            root = line.split()[1].partition(".")[0]
            is_own = self.write.is_own(line.split()[1])
            groups[0 if root in sys.stdlib_module_names else 2 if is_own else 1].append(line)
        for folder in folders:
            relative = os.path.relpath(folder, self.target.parent.resolve())
            groups[1].append(f'sys.path.append(str(Path(__file__).parent / "{relative}"))')
        own = [f"{line}  # noqa: E402" for line in groups[2]] if folders else groups[2]
        found = [group for group in (groups[0], groups[1], own) if group]
        return "\n\n".join("\n".join(group) for group in found).split("\n")

    def _helper(self, name: str) -> str:
        """A function of `helpers`, or a curve, as it stands there."""
        source = inspect.getsource(getattr(helpers, name, None) or getattr(curves, name))
        return re.sub(r"  # (type: ignore|noqa).*", "", source)

    # The step

    def _step(self) -> list[str]:
        parts, wrapper = self.parts, self.parts.wrapper
        accumulate = wrapper._accumulative_counts
        lines = self._forward()
        if isinstance(wrapper, AmpOptimWrapper):
            dtype = wrapper.cast_dtype
            lines = [
                f"with torch.autocast(DEVICE, dtype={dtype}):",
                *(f"    {line}" for line in lines),
            ]
        scaled = isinstance(wrapper, AmpOptimWrapper) and wrapper.loss_scaler.is_enabled()
        loss = "loss"
        if accumulate > 1:
            self.constants.append(f"ACCUMULATE = {accumulate}  # iterations of an optimizer step")
            lines.append("members = group_size(iteration, total)")
            self._need("group_size")
            loss = "(loss / members)"
        lines.append(f"scaler.scale({loss}).backward()" if scaled else f"{loss}.backward()")
        update = []
        if wrapper.clip_grad_kwargs is not None:
            if scaled:
                update.append("scaler.unscale_(optimizer)")
            arguments = ", ".join(f"{k}={v!r}" for k, v in wrapper.clip_grad_kwargs.items())
            update.append(f"nn.utils.{wrapper.clip_func.__name__}(model.parameters(), {arguments})")
        if scaled:
            given = wrapper._scale_update_param
            update += ["scaler.step(optimizer)", f"scaler.update({'' if given is None else given})"]
        else:
            update.append("optimizer.step()")
        update.append("optimizer.zero_grad()")
        if accumulate > 1:
            lines.append("if (iteration + 1) % ACCUMULATE == 0 or iteration + 1 == total:")
            update = [f"    {line}" for line in update]
        lines += update
        if parts.ema is not None:
            self._need("average")
            self.constants.append(
                f"MOMENTUM = {parts.ema.ema_cfg.get('momentum', 0.0002)}  # of the average"
            )
            lines.append("average(averaged, model, MOMENTUM if iteration else 1.0)")
        return lines

    def _forward(self) -> list[str]:
        parts = self.parts
        self._need("to_device")
        self.write.imports.setdefault("typing", set()).add("Any")
        move = "batch = to_device(batch)"
        if parts.is_supervised:
            if isinstance(self.sample, Mapping):
                return [move, 'loss = criterion(model(batch["inputs"]), batch["targets"])']
            return [
                "inputs, targets = to_device(batch)",
                "loss = criterion(model(inputs), targets)",
            ]
        stars = "**batch" if isinstance(self.sample, Mapping) else "*batch"
        if parts.returns_loss:
            return [move, f"loss = model({stars}){parts.loss_access(self.dataset)}"]
        self._need("total_loss")
        if type(parts.model.data_preprocessor).__name__ != "BaseDataPreprocessor":
            move = "batch = model.data_preprocessor(batch, training=True)"
            stars = "**batch"
        return [move, f'loss = total_loss(model({stars}, mode="loss"))']

    # Validation and the loop

    def _validate(self) -> str | None:
        parts = self.parts
        loop = parts.runner.val_loop
        if loop is None:
            return None
        loader = loop.sets[0].dataloader
        if len(loop.sets) > 1:
            parts.left_out.append(("val_dataloader", "all data sets but the first"))
        settings = ", ".join([f"batch_size={loader.batch_size}", *self._collate(loader)])
        section = parts.section("val_dataloader")
        if len(loop.sets) > 1:
            section = next(iter(section.values())) if isinstance(section, Mapping) else section[0]
        data = self._data_expression(section)
        metrics = list(getattr(loop.sets[0].evaluator, "metrics", ()))
        is_accuracy = [type(m).__name__ == "Accuracy" and m.topk == (1,) for m in metrics]
        head = (
            "def validation_batches() -> DataLoader:\n"
            '    """The validation data, in order."""\n'
            f"    return DataLoader({data}, {settings}, generator=torch.Generator())\n\n\n"
            "@torch.no_grad()\n"
            "def validate(model: nn.Module, batches: DataLoader) -> str:\n"
        )
        if any(is_accuracy) and self._predicts_scores():
            return head + self._accuracy()
        for number, metric in enumerate(metrics):
            parts.left_out.append(
                (f"val_evaluator.{number}", f"the metric {type(metric).__name__}")
            )
        return None

    def _predicts_scores(self) -> bool:
        return not self.parts.returns_loss

    def _accuracy(self) -> str:
        body = (
            '    """The share of samples whose class has the highest score."""\n'
            "    model.eval()\n"
            "    right = total = 0\n"
            "    with torch.random.fork_rng():  # training draws on where it was\n"
            "        for batch in batches:\n"
        )
        if self.parts.is_supervised:
            body += (
                "            inputs, targets = to_device(batch)\n"
                "            right += int((model(inputs).argmax(1) == targets).sum())\n"
                "            total += len(targets)\n"
            )
        else:
            stars = (
                "**to_device(batch)" if isinstance(self.sample, Mapping) else "*to_device(batch)"
            )
            body += (
                f'            for sample in model({stars}, mode="predict"):\n'
                '                right += int(sample["prediction"].argmax() == sample["target"])\n'
                "                total += 1\n"
            )
        return body + '    return f"accuracy {100 * right / total:.2f} %"'

    def _train(self, make: list[str], step: list[str], validates: bool) -> str:
        parts = self.parts
        loop = parts.loop
        model = "averaged" if parts.ema is not None else "model"
        if not validates:
            make = [line for line in make if not line.startswith("val_batches")]
        lines = [
            "def show(iteration: int, loss: Tensor, model: nn.Module) -> None:",
            '    """Print a loss now and then."""',
            "    if iteration % 10 == 9:",
            '        print(f"iteration {iteration + 1}  loss {loss.item():.4f}", flush=True)',
            "",
            "",
            "def train(report: Callable[[int, Tensor, nn.Module], None] = show) -> nn.Module:",
            '    """Train; `report` is given each iteration, its loss, and the model."""',
        ]
        self.write.imports.setdefault("collections.abc", set()).add("Callable")
        self.standard |= {"import random", "import numpy as np"}
        lines += [
            "    random.seed(SEED)",
            "    np.random.seed(SEED)",
            "    torch.manual_seed(SEED)",
        ]
        if parts.runner.deterministic:
            lines.append("    torch.use_deterministic_algorithms(True)")
        lines += [f"    {line}" for line in make]
        by_iteration = any(not schedule.by_epoch for schedule in parts.schedules)
        per_iteration = ["report(iteration, loss.detach(), model)", "iteration += 1"]
        if by_iteration:
            per_iteration.append('follow_schedules(optimizer, "iteration", iteration)')
        needs_total = parts.wrapper._accumulative_counts > 1
        if self.by_epoch:
            if needs_total:
                lines.append("    total = EPOCHS * len(training_batches(dataset, 0))")
            lines += [
                "    iteration = 0",
                "    for epoch in range(EPOCHS):",
                "        model.train()",
                "        for batch in training_batches(dataset, epoch):",
                *(f"            {line}" for line in [*step, *per_iteration]),
            ]
            if any(schedule.by_epoch for schedule in parts.schedules):
                lines.append('        follow_schedules(optimizer, "epoch", epoch + 1)')
            if validates:
                due = _when("epoch + 1", "EPOCHS", loop)
                pad = "            " if due else "        "
                lines += [f"        if {due}:"] if due else []
                lines.append(
                    f'{pad}print(f"epoch {{epoch + 1}}  {{validate({model}, val_batches)}}")'
                )
            lines.append(f'        torch.save({model}.state_dict(), "weights.pt")')
        else:
            batches = "training_batches(dataset)" if parts.is_endless else "endless(dataset)"
            if needs_total:
                lines.append("    total = ITERATIONS")
            lines += [
                "    model.train()",
                f"    batches = iter({batches})",
                "    for iteration in range(ITERATIONS):",
                "        batch = next(batches)",
                *(f"        {line}" for line in step),
                "        report(iteration, loss.detach(), model)",
            ]
            if by_iteration:
                lines.append('        follow_schedules(optimizer, "iteration", iteration + 1)')
            if validates:
                lines += [
                    f"        if {_when('iteration + 1', 'ITERATIONS', loop) or 'True'}:",
                    f"            found = validate({model}, val_batches)",
                    '            print(f"iteration {iteration + 1}  {found}")',
                    "            model.train()",
                ]
            lines.append(f'    torch.save({model}.state_dict(), "weights.pt")')
        lines.append(f"    return {model}")
        return "\n".join(lines)


def _when(done: str, last: str, loop: Any) -> str:
    """The condition under which to validate; empty for always."""
    conditions = []
    if loop.val_interval > 1:
        conditions.append(f"(({done}) % {loop.val_interval} == 0 or {done} == {last})")
    if loop.val_begin > 1:
        conditions.append(f"{done} >= {loop.val_begin}")
    return " and ".join(conditions)


def write_script(parts: Parts, config: str, target: Path) -> str:
    """The text of a script that trains as a run does.

    Args:
        parts: The run.
        config: Name of the config file.
        target: Where the script will stand.

    Raises:
        ConfigError: Something in the config cannot be written down.
    """
    return _Script(parts, config, target).text()
