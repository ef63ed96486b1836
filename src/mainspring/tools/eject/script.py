"""Writes a training as one script of plain PyTorch."""

from __future__ import annotations

import ast
import copy
import inspect
import os
import re
import sys
import textwrap
from collections.abc import Mapping
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import torch

from mainspring.errors import ConfigError
from mainspring.evaluator import confusion, perplexity, regression
from mainspring.evaluator.samples import PREDICTIONS, TARGETS
from mainspring.model.adapt import TARGET_KEYS
from mainspring.optim import AmpOptimWrapper
from mainspring.optim.scheduler import curves
from mainspring.rng import item_seeds
from mainspring.tools.eject import helpers
from mainspring.tools.eject.making import SEEDED, Making, filled
from mainspring.tools.eject.parts import Parts
from mainspring.tools.eject.validation import Validation
from mainspring.version import __version__

__all__ = ["write_script"]

_SOURCES = (helpers, item_seeds, curves, confusion, perplexity, regression)
"""Modules whose functions a script may get copies of."""
_FROM = {
    "collections.abc": "Callable Iterator Mapping",
    "functools": "partial",
    "pathlib": "Path",
    "torch": "Tensor nn",
    "torch.utils.data": "DataLoader Dataset",
    "typing": "Any",
}
"""Where what a script uses is imported from."""
_WHOLE = ("contextlib", "copy", "fnmatch", "itertools", "math", "random", "sys", "torch")
_WIDTH = 100


class _Script(Making):
    """The script of a run: what `Making` makes, the steps, validation, and the loop."""

    validates = True
    validated = ""
    """What `validate` is given besides the model."""

    def text(self) -> str:
        """The whole script."""
        parts = self.parts
        self.constants.append(f"SEED = {parts.runner.seed}")
        length = parts.loop.max_epochs if self.by_epoch else parts.loop.max_iters
        self.constants.append(f"{'EPOCHS' if self.by_epoch else 'ITERATIONS'} = {length}")
        self.constants.append('DEVICE = "cuda" if torch.cuda.is_available() else "cpu"')
        self.constants.append('WEIGHTS = "weights.pt"  # where they go')
        loaders = self._loaders()
        make = self._make()
        step = self._step()
        validation = Validation(parts) if self.validates else None
        functions = []
        if validation is not None and validation.names:
            functions.append(self._validate(validation))
            make.append(f"val_batches = {self._validation_batches(validation)}")
            self.validated = "val_batches" + ", criterion" * validation.needs_criterion
        self._look_at_monitors(validation.names if validation else [])
        train = self._train(make, step, bool(functions))
        copied = [self._helper(name) for name in self.helpers]
        functions = [*copied, *self.own_helpers, loaders, *functions, train]
        body = "\n\n\n".join(part.strip("\n") for part in functions)
        body = "\n".join([*self.constants, "", "", body, ""])
        head = [self._header(), "", "from __future__ import annotations", "", *self._imports(body)]
        return _folded("\n".join([*head, "", body]))

    def _look_at_monitors(self, known: list[str]) -> None:
        """Leave out what waits for a metric that the script does not have."""
        parts = self.parts
        several = [part for schedules in parts.schedules.values() for part in schedules]
        waiting: list[Any] = [("param_scheduler", part) for part in several if part.need_val_args]
        if parts.stop is not None:
            waiting.append((parts.path_of(parts.stop), parts.stop))
        for path, part in waiting:
            if part.monitor not in known:
                kind = type(part).__name__
                why = "which no script has"
                if not self.validates:
                    why = f"without {dict(parts.unused).get('val_dataloader', 'validation')}"
                parts.left_out.append((path, f"{kind} of {part.monitor}, {why}"))

    def _header(self) -> str:
        parts = self.parts
        name = type(parts.network).__name__
        lines = [
            f'"""Train what {self.config} describes, in plain PyTorch.',
            "",
            f"Ejected by mainspring {__version__}, which computes the same in every bit.",
        ]
        if not (parts.is_supervised or parts.returns_loss):
            what = "makes its steps" if parts.has_own_step else "computes its losses"
            text = f"{name} {what} itself: its module imports mainspring for the base class, "
            lines += textwrap.wrap(f"{text}this script does not.", _WIDTH - 2)
        if parts.cfg.get("randomness", {}).get("seed") is None:
            lines.append("The config gives no seed; 0 was taken.")
        for title, found in (
            ("Left out, so that losses may differ:", parts.left_out),
            ("Not here, and without effect on losses and weights:", parts.unused),
        ):
            if found:
                lines += ["", title, *(f"- {path}: {what}" for path, what in found)]
        return "\n".join([*lines, '"""'])

    def _imports(self, body: str) -> list[str]:
        """Import lines in three groups: Python's, installed packages', and the user's own."""
        tree = ast.parse(body)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        folders = [f for f in self.write.folders() if f != self.target.parent.resolve()]
        used |= {"sys", "Path"} if folders else set()
        imports = self.write.imports
        for module, names in _FROM.items():
            if found := used & set(names.split()):
                imports.setdefault(module, set()).update(found)
        if "F" in used:
            imports.setdefault("torch.nn", set()).add("functional as F")
        own = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
        called = [*own, *(name for names in imports.values() for name in names)]
        if twice := sorted(name for name in set(called) if called.count(name) > 1):
            raise ConfigError(
                f"the script would have two things called {twice[0]}",
                help="give yours another name",
            )
        whole = [f"import {module}" for module in _WHOLE if module in used]
        lines = sorted([*whole, "import numpy as np"])
        lines += [f"from {m} import {', '.join(sorted(imports[m]))}" for m in sorted(imports)]
        groups: tuple[list[str], ...] = ([], [], [], [])
        for line in lines:
            module = line.split()[1]
            is_own = self.write.is_own(module)
            is_pythons = module.partition(".")[0] in sys.stdlib_module_names
            groups[0 if is_pythons else 3 if is_own else 1].append(line)
        for folder in folders:
            relative = os.path.relpath(folder, self.target.parent.resolve())
            groups[2].append(f'sys.path.append(str(Path(__file__).parent / "{relative}"))')
        if folders:
            groups[3][:] = [f"{line}  # noqa: E402" for line in groups[3]]
        return "\n\n".join("\n".join(group) for group in groups if group).split("\n")

    def _helper(self, name: str) -> str:
        """A function of one of the sources, as it stands there, with the first line of its doc."""
        found = next(getattr(source, name) for source in _SOURCES if hasattr(source, name))
        source = re.sub(r"  # (type: ignore|noqa).*", "", inspect.getsource(found))
        return re.sub(r'("""(?!.*""")[^\n]+)\n\n(?s:.*?)"""', r'\1"""', source)

    # The step

    def _step(self) -> list[str]:
        parts, wrapper = self.parts, self.parts.wrapper
        if parts.has_own_step:
            return ["losses = model.train_step(batch, optim_wrapper=updates)", *self._average()]
        accumulate = wrapper._accumulative_counts
        lines, given = self._moved(parts.batch, training=True)
        lines = [*lines, f"loss = {self._loss(given, parts.batch)}"]
        if isinstance(wrapper, AmpOptimWrapper):
            dtype = wrapper.cast_dtype
            lines = [
                f"with torch.autocast(DEVICE, dtype={dtype}):",
                *(f"    {line}" for line in lines),
            ]
        scaled = self._is_scaled
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
            function, _, arguments = self._clipping(wrapper).partition(", ")
            update.append(f"{function}(model.parameters(), {arguments})")
        if scaled:
            given = wrapper._scale_update_param
            update += ["scaler.step(optimizer)", f"scaler.update({'' if given is None else given})"]
        else:
            update.append("optimizer.step()")
        update.append("optimizer.zero_grad()")
        if accumulate > 1:
            lines.append("if (iteration + 1) % ACCUMULATE == 0 or iteration + 1 == total:")
            update = [f"    {line}" for line in update]
        return [*lines, *update, *self._average()]

    def _average(self) -> list[str]:
        ema = self.parts.ema
        if ema is None:
            return []
        self._need("average")
        self.constants.append(f"MOMENTUM = {ema.ema_cfg.get('momentum', 0.0002)}  # of the average")
        return ["average(averaged, model, MOMENTUM if iteration else 1.0)"]

    def _loss(self, given: str, batch: Any) -> str:
        if self.parts.is_supervised:
            inputs, targets = given.split(", ")
            return self._criterion(f"criterion(model({inputs}), {targets})", batch)
        if self.parts.returns_loss:
            return f"model({given}){self._access('loss', batch)}"
        self._need("total_loss")
        return f'total_loss(model({given}, mode="loss"))'

    def _criterion(self, call: str, batch: Any) -> str:
        """What a call of the criterion gives, as one number."""
        model = self.parts.model
        own, model.loss = model.loss, copy.deepcopy(model.loss)  # it may remember its calls
        try:
            with self.parts.trying():
                given = model._run_forward(batch, "loss")
        finally:
            model.loss = own
        losses = [name for name in given if name not in model.metrics]
        if losses != ["loss"]:
            self._need("total_loss")
            return f"total_loss({call})"
        return call if given["loss"].ndim == 0 else f"{call}.mean()"

    def _access(self, name: str, batch: Any) -> str:
        """How an entry is taken out of what the model returns."""
        return f'["{name}"]' if isinstance(self.parts.outputs(batch), Mapping) else f".{name}"

    def _moved(self, batch: Any, *, training: bool) -> tuple[list[str], str]:
        """Lines that bring a batch to the device, and how it is given to the model."""
        parts = self.parts
        preprocess = parts.model.data_preprocessor
        if type(preprocess).__name__ not in ("BaseDataPreprocessor", "method"):
            with torch.no_grad():
                ready = preprocess(batch, training)
            stars = "**batch" if isinstance(ready, Mapping) else "*batch"
            return [f"batch = model.data_preprocessor(batch, training={training})"], stars
        if isinstance(batch, torch.Tensor):
            return ["batch = batch.to(DEVICE)"], "batch"
        values, given = batch, "*batch"
        moved, of_loss = "[part.to(DEVICE) for part in batch]", "inputs, targets"
        if isinstance(batch, Mapping):
            values, given = batch.values(), "**batch"
            moved = "{key: value.to(DEVICE) for key, value in batch.items()}"
            of_loss = 'batch["inputs"], batch["targets"]'
        if not all(isinstance(each, torch.Tensor) for each in values):
            self._need("to_device")
            moved = "to_device(batch)"
        if not parts.is_supervised:
            return [f"batch = {moved}"], given
        target = "batch" if isinstance(batch, Mapping) else of_loss
        return [f"{target} = {moved}"], of_loss

    # Validation and the loop

    def _validation_batches(self, validation: Validation) -> str:
        section = self.parts.section("val_dataloader")
        if len(self.parts.runner.val_loop.sets) > 1:
            section = next(iter(section.values())) if isinstance(section, Mapping) else section[0]
        settings = ", ".join(self._loader_settings(validation.loader))
        return f"DataLoader({self._data_expression(section)}, {settings})"

    def _validate(self, validation: Validation) -> str:
        lines, given = self._moved(validation.batch, training=False)
        arguments = "model: nn.Module, batches: DataLoader"
        begin = [f"{name}: Any = 0" for name in validation.sums]
        values = validation.values
        size = "len(batch[0])"
        if isinstance(validation.batch, Mapping):
            size = "len(next(iter(batch.values())))"
        if validation.sums:
            lines += self._predictions(given, validation)
            size = "len(targets)"
        if validation.with_loss:
            loss = self._loss(given, validation.batch)
            if validation.needs_criterion:
                arguments += ", criterion: Any"
                if validation.sums:
                    loss = self._criterion("criterion(predictions, targets)", validation.batch)
                size = "len(targets)" if given == "inputs, targets" else size
            begin += ["losses: Any = 0", "samples = 0"]
            lines += [f"loss = {loss}", f"losses = losses + loss.float() * {size}"]
            lines.append(f"samples += {size}")
            values = [*values, '{"val_loss": losses.item() / samples}']
        lines += [f"{n} = {n} + {a}.cpu().double()" for n, a in validation.sums.items()]
        self._need(*validation.helpers)
        result = " | ".join(values)
        back = []
        for name in ("python", "numpy"):
            if name in validation.drawn:
                _, state = SEEDED[name]
                begin.append(f"{name}_state = {state.format('get')}()")
                back.append(f"{state.format('set')}({name}_state)")
        slots: dict[str, Any] = {"begin": begin, "lines": lines, "back": back, "result": result}
        return filled("validate", arguments=arguments, **slots)

    def _predictions(self, given: str, validation: Validation) -> list[str]:
        if self.parts.is_supervised:
            inputs, targets = given.split(", ")
            lines = [f"predictions = model({inputs})"]
            return lines if targets == "targets" else [*lines, f"targets = {targets}"]
        if self.parts.returns_loss:
            access = self._access("logits", validation.batch)
            key = next(key for key in TARGET_KEYS if key in validation.batch)
            return [f"predictions = model({given}){access}", f'targets = batch["{key}"]']
        prediction, target = validation.key(PREDICTIONS), validation.key(TARGETS)
        return [
            f'found = model({given}, mode="predict")',
            f'predictions = torch.stack([sample["{prediction}"] for sample in found])',
            f'targets = torch.stack([sample["{target}"] for sample in found])',
        ]

    def _train(self, make: list[str], step: list[str], validates: bool) -> str:
        parts = self.parts
        to_train = ["model.train()"]
        for name in parts.kept_in_evaluation():
            is_plain = all(map(str.isidentifier, name.split(".")))
            part = f"model.{name}" if is_plain else f'model.get_submodule("{name}")'
            to_train.append(f"{part}.eval()  # it came in evaluation mode")
        if parts.stop is not None and validates:
            self._need("Patience")
            hook, sign = parts.stop, 1 if parts.stop.rule == "greater" else -1
            words = [f"{max(hook.patience, 1)}, delta={sign * hook.min_delta!r}, sign={sign}"]
            if hook.stopping_threshold is not None:
                words.append(f"enough={sign * hook.stopping_threshold!r}")
            make.append(f"patience = Patience({', '.join(words)})")
        if parts.wrapper._accumulative_counts > 1:
            total = "EPOCHS * len(training_batches(dataset, 0))" if self.by_epoch else "ITERATIONS"
            make.append(f"total = {total}")
        if parts.runner.deterministic:
            make.insert(0, "torch.use_deterministic_algorithms(True)")
        after = self.after["iteration"]
        if self.by_epoch:
            after = [line.replace("iteration + 1", "iteration") for line in after]
        model = "averaged" if parts.ema is not None else "model"
        loop = filled(
            "by_epoch" if self.by_epoch else "by_iteration",
            to_train=to_train,
            batches="training_batches" if parts.is_endless else "endless",
            step=step,
            reported="losses" if parts.has_own_step else "loss.detach()",
            after_iteration=after,
            after_epoch=self.after["epoch"],
            validation=self._validating(model, to_train) if validates else [],
            model=model,
        )
        losses, kind = "loss", "Tensor"
        shown = ['print(f"iteration {iteration + 1}  loss {loss.item():.4f}", flush=True)']
        if parts.has_own_step:
            losses, kind = "losses", "dict[str, Tensor]"
            shown = [
                'shown = [f"{name} {float(loss):.4f}" for name, loss in losses.items()]',
                'print(f"iteration {iteration + 1}", *shown, sep="  ", flush=True)',
            ]
        whole: dict[str, Any] = {"make": make, "loop": loop.split("\n"), "model": model}
        return filled("train", losses=losses, kind=kind, shown=shown, **whole)

    def _validating(self, model: str, to_train: list[str]) -> list[str]:
        """Lines of the loop that validate, and what waits for the metrics."""
        unit = "epoch" if self.by_epoch else "iteration"
        lines = [
            f"found = validate({model}, {self.validated})",
            'shown = [f"{name} {value:.4f}" for name, value in found.items()]',
            f'print(f"{unit} {{{unit} + 1}}", *shown, sep="  ", flush=True)',
            *self.after["validation"],
        ]
        if self.parts.stop is not None:
            lines.append(f'if patience.is_over(found["{self.parts.stop.monitor}"]):')
            lines.append("    break")
        if not self.by_epoch:
            lines += to_train
        due = _when(f"{unit} + 1", f"{unit.upper()}S", self.parts.loop)
        return [f"if {due}:", *(f"    {line}" for line in lines)] if due else lines


def _when(done: str, last: str, loop: Any) -> str:
    """The condition under which to validate; empty for always."""
    every = f"({done}) % {loop.val_interval} == 0 or {done} == {last}"
    begun = f"{done} >= {loop.val_begin}"
    if loop.val_interval > 1:
        return f"({every}) and {begun}" if loop.val_begin > 1 else every
    return begun if loop.val_begin > 1 else ""


def _folded(text: str) -> str:
    """The text with calls that are too long for a line on several lines."""
    lines = []
    for line in text.split("\n"):
        found = re.search(r"[(\[{]", line)
        if len(line) <= _WIDTH or not found or not line.endswith((")", "]", "}")):
            lines.append(line)
            continue
        pad = " " * (len(line) - len(line.lstrip()))
        begin, inner, end = line[: found.end()], line[found.end() : -1], line[-1]
        depths = list(accumulate((each in "([{") - (each in ")]}") for each in inner))
        if min(depths, default=0) < 0:  # the first bracket is not that of the end
            lines.append(line)
            continue
        given = [inner]
        if len(pad) + 4 + len(inner) > _WIDTH:
            commas = [n for n, each in enumerate(inner) if each == "," and depths[n] == 0]
            ends = pairwise([-1, *commas, len(inner)])
            given = [f"{inner[start + 1 : stop].strip()}," for start, stop in ends]
        lines += [begin, *(f"{pad}    {each}" for each in given), f"{pad}{end}"]
    folded = "\n".join(lines)
    is_same = ast.dump(ast.parse(folded)) == ast.dump(ast.parse(text))
    return folded if is_same else text


def write_script(parts: Parts, config: str, target: Path, *, validates: bool = True) -> str:
    """The text of a script that trains as a run does.

    Args:
        parts: The run.
        config: Name of the config file.
        target: Where the script will stand.
        validates: Whether it validates, where the run does.

    Raises:
        ConfigError: Something in the config cannot be written down.
    """
    script = _Script(parts, config, target)
    script.validates = validates and parts.runner.val_loop is not None
    return script.text()
