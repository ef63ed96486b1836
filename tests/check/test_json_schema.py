"""`mainspring schema`: a JSON Schema by which editors complete configs and mark mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from mainspring.check.json_schema import json_schema
from mainspring.cli.main import main
from mainspring.config import Config
from mainspring.config.schema import SECTIONS

ZOO = Path(__file__).parents[1] / "config" / "zoo"
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
RIGHT = """
model:
  type: Supervised
  net: {type: torch.nn.Linear, in_features: 3}
train_dataloader:
  batch_size: 4
  num_workers: 2
  dataset: {type: ConcatDataset, datasets: [{type: mine.Data}]}
  sampler: {type: DefaultSampler, shuffle: true}
train_cfg: {by_epoch: true, max_epochs: 3, val_interval: 2}
optim_wrapper:
  type: AmpOptimWrapper
  loss_scale: dynamic
  optimizer: {type: SGD, lr: 0.1, momentum: "{{$MOMENTUM:0.9}}"}
  paramwise_cfg: {norm_decay_mult: 0}
param_scheduler:
- {type: LinearLR, start_factor: 0.1, end: 5, convert_to_iter_based: true}
val_evaluator: [{type: Accuracy, topk: 1}]
default_hooks:
  logger: null
  checkpoint: {type: CheckpointHook, interval: 2}
  mine: {type: mine.Hook, anything: 1}
custom_hooks: [{type: EMAHook, momentum: 0.1, priority: 49}]
resume: true
my_variable: {whatever: 1}
"""


def is_a(value, kind):
    is_number = kind in ("integer", "number")
    return isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and is_number)


def mistakes(value, schema, root, path="$"):
    """What a schema refuses, in the words of draft 2020-12 that ours uses."""
    if "$ref" in schema:
        schema = {**schema, **root["$defs"][schema["$ref"].rpartition("/")[2]]}
    kinds = schema.get("type", list(TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not any(is_a(value, kind) for kind in kinds):
        return [f"{path}: no {kinds}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: none of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: not {schema['const']}")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        found.append(f"{path}: no {schema['pattern']}")
    if "not" in schema and not mistakes(value, schema["not"], root):
        found.append(f"{path}: what it must not be")
    options = [mistakes(value, option, root, path) for option in schema.get("anyOf", [])]
    if options and all(options):
        found += min(options, key=len)
    for part in schema.get("allOf", []):
        found += mistakes(value, part, root, path)
    if "if" in schema and not mistakes(value, schema["if"], root):
        found += mistakes(value, schema["then"], root, path)
    if isinstance(value, dict):
        found += [f"{path}: no {name}" for name in schema.get("required", []) if name not in value]
        for key, item in value.items():
            rest = schema.get("additionalProperties", {})
            inner = schema.get("properties", {}).get(key, rest)
            inside = f"{path}.{key}"
            found += (
                [f"{inside}: unknown"] if inner is False else mistakes(item, inner, root, inside)
            )
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            found += mistakes(item, schema["items"], root, f"{path}[{index}]")
    return found


@pytest.fixture(scope="module")
def schema():
    return json_schema()


def test_right_configs_pass(schema):
    assert mistakes(yaml.safe_load(RIGHT), schema, schema) == []


@pytest.mark.parametrize(
    ("old", "wrong", "at"),
    [
        ("max_epochs: 3", "max_epochs: three", "train_cfg"),
        ("batch_size: 4", "batch_size: many", "train_dataloader"),
        ("shuffle: true", "shufle: true", "train_dataloader"),
        ('momentum: "{{$MOMENTUM:0.9}}"', "momentun: 0.9", "optim_wrapper"),
        ("loss_scale: dynamic", "accumulative_counts: x", "optim_wrapper"),
        ("logger: null", "logger: {type: LoggerHook, intervall: 2}", "default_hooks"),
        ("start_factor: 0.1", "start_facto: 0.1", "param_scheduler"),
        ("resume: true", "resume: [1]", "resume"),
    ],
)
def test_mistakes_are_marked(schema, old, wrong, at):
    assert RIGHT.count(old) == 1
    found = mistakes(yaml.safe_load(RIGHT.replace(old, wrong)), schema, schema)
    assert found
    assert all(place.startswith(f"$.{at}") for place in found)


@pytest.mark.parametrize("path", sorted(ZOO.rglob("*.yaml")) + sorted(ZOO.rglob("*.json")), ids=str)
def test_nothing_in_the_zoo_is_marked(schema, path):
    content = yaml.safe_load(path.read_text())
    assert mistakes(content, schema, schema) == []


def test_what_an_editor_shows(schema):
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(SECTIONS) <= set(schema["properties"])
    assert all(schema["properties"][name]["description"] for name in SECTIONS)
    names = schema["$defs"]["hook"]["properties"]["type"]["anyOf"][0]["enum"]
    assert {"CheckpointHook", "EMAHook"} <= set(names)
    hook = next(
        c
        for c in schema["$defs"]["hook"]["allOf"]
        if c["if"].get("properties") == {"type": {"const": "CheckpointHook"}}
    )
    assert "checkpoint" in hook["then"]["properties"]["save_best"]["description"].lower()
    untyped = schema["$defs"]["train_loop"]["allOf"][-1]["then"]["properties"]
    assert untyped["max_iters"]["description"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"$schema": "mainspring.schema.json", "x": 1}'),
        ("a.yaml", "# yaml-language-server: $schema=mainspring.schema.json\nx: 1"),
        ("a.toml", '"$schema" = "mainspring.schema.json"\nx = 1'),
    ],
)
def test_a_file_may_name_its_schema(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert Config.fromfile(tmp_path / name).to_dict() == {"x": 1}


def test_the_command_prints_it_with_what_modules_register(capsys, tmp_path, monkeypatch):
    (tmp_path / "ms_mine.py").write_text(
        "from mainspring.registry import HOOKS\nfrom mainspring.hooks import Hook\n"
        "@HOOKS.register_module()\nclass MsMineHook(Hook):\n    def __init__(self, size: int): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["schema", "--import", "ms_mine"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert "MsMineHook" in printed["$defs"]["hook"]["properties"]["type"]["anyOf"][0]["enum"]
    assert main(["schema", "--import", "ms_not_there"]) == 2
    assert main(["schema", "x=1"]) == 2
