"""`mainspring export CONFIG CHECKPOINT --to FORMAT`: the model as a program, or its weights."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mainspring.cli.common import CHECKPOINT, add_config_verb, load_config, tell
from mainspring.cli.trial_options import add_partial_option, count, require_writable
from mainspring.errors import ConfigError

__all__ = ["add_parser", "run"]

_DIFFERENT = 1


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_config_verb(
        verbs,
        "export",
        run,
        short="write a trained model as a program: ONNX, torch.export, or weights",
        long="Write a trained model as a program for batches of any size, run it, and say "
        "how far it is from the model. The exit code is 1 if it is too far.",
        checkpoint=CHECKPOINT,
    )
    add = parser.add_argument
    add("--to", choices=["onnx", "torch", "safetensors"], required=True, help="the format")
    add_partial_option(parser)
    add("-o", "--out", metavar="FILE", help="the file (default: beside the checkpoint)")
    text = "an example, read as by predict (default: the first items of the test data)"
    add("--input", action="append", default=[], metavar="FILE", help=text)
    add("--batch-size", type=count, metavar="N", help="only batches of this size (default: any)")


def run(options: argparse.Namespace) -> None:
    """Export.

    Raises:
        ConfigError: The config or an option has a mistake, or the model cannot be exported.
        SystemExit: What was written is too far from the model; the code is 1.
    """
    require_writable("--out", options.out, inputs=[options.config, options.checkpoint])
    with redirect_stdout(sys.stderr):
        cfg = load_config(options, options.overrides)

        from mainspring.tools.export import FORMATS, export_model, export_weights, target_of
        from mainspring.tools.predict import Predictor, inputs_of

        require_writable("--out", options.out, ends=[FORMATS[options.to]])
        predictor = Predictor(cfg, options.checkpoint, "cpu", partial=options.partial)
        suffix = FORMATS[options.to]
        path = Path(options.out or Path(options.checkpoint).with_suffix(suffix))
        if options.to == "safetensors":
            items = []
            if options.input or options.batch_size:
                print("weights need no example: --input and --batch-size have no effect")
        elif options.input:
            words = inputs_of(options.input, sys.stdin)
            items = [_read(predictor, each) for each in itertools.islice(words, 2)]
        elif predictor.dataset is not None:
            items = [predictor.dataset[0], predictor.dataset[min(1, len(predictor.dataset) - 1)]]
        else:
            raise ConfigError(
                "there is no example to export with",
                config_path="test_dataloader",
                help="give --input FILE, which is read as by mainspring predict",
            )
        if items:
            target = target_of(predictor.model, predictor.collate_fn((items * 2)[:2]))
            parity = export_model(target, path, options.to, batch_size=options.batch_size)
        else:
            target, parity = None, export_weights(predictor.model, path)
        inputs = {
            name: {
                "type": str(example.dtype).removeprefix("torch."),
                "shape": [options.batch_size or "batch", *example.shape[1:]],
            }
            for name, example in (zip(target.names, target.examples, strict=True) if target else ())
        }
    lines = [str(path)]
    if target is not None:
        shapes = {name: ", ".join(map(str, given["shape"])) for name, given in inputs.items()}
        lines = [f"input {n}: {inputs[n]['type']} ({shape})" for n, shape in shapes.items()]
        lines += [f"with {target.contains}"] if target.contains else []
        lines.append(str(path))
    if parity.runtime:
        tried = f" for batches of {', '.join(map(str, parity.sizes))}" if parity.sizes else ""
        said = f"{parity.runtime} against the model{tried}: "
        lines.append(f"{said}largest absolute difference {parity.difference:.3g}")
    else:
        lines.append("not compared with the model: pip install onnxruntime")
    told = {"file": str(path), "inputs": inputs, **dataclasses.asdict(parity)}
    tell(options, told, "\n".join(lines), indent=None)
    if not parity.is_close:
        print("that is too far", file=sys.stderr)
        raise SystemExit(_DIFFERENT)


def _read(predictor: Any, given: Any) -> Any:
    try:
        return predictor.pipeline(given)
    except (ConfigError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise ConfigError(
            f"--input {given.name} cannot be read: {type(error).__name__}: {error}"
        ) from error
