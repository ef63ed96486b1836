"""Wrappers for several processes, in two real ones."""

import sys

import pytest
import torch
from torch import nn

from mainspring.model import is_model_wrapper
from mainspring.registry import MODEL_WRAPPERS, Registry
from prepared_processes import run, run_ranks

COMMON = """
import contextlib, os, sys, warnings
import torch
from torch import nn
from mainspring.model import BaseModel

warnings.simplefilter("error")
rank, folder = int(os.environ["RANK"]), sys.argv[1]
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
)


class Sgd:
    def __init__(self, model):
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    @contextlib.contextmanager
    def optim_context(self, model):
        yield

    def update_params(self, loss):
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)
        self.unused = nn.Linear(1, 1)

    def forward(self, inputs, targets=None, mode="tensor"):
        outputs = self.linear(inputs)
        return {"loss": (outputs - targets).square().mean()} if mode == "loss" else list(outputs)


torch.manual_seed(0)
inputs, targets = torch.randn(8, 2), torch.randn(8, 1)
mine = {"inputs": inputs[rank::2], "targets": targets[rank::2]}
everything = {"inputs": inputs, "targets": targets}
"""

PLAIN = """
from mainspring.model import MMDistributedDataParallel, adapt_model, is_model_wrapper

alone, model = Net(), Net()
model.load_state_dict(alone.state_dict())
wrapped = MMDistributedDataParallel(
    model, find_unused_parameters=True, detect_anomalous_params=True
)
assert is_model_wrapper(wrapped)
together, single = Sgd(wrapped), Sgd(alone)
for _ in range(3):
    log_vars = wrapped.train_step(mine, together)
    alone.train_step(everything, single)
    assert log_vars["loss"].requires_grad is False
torch.testing.assert_close(model.linear.weight, alone.linear.weight)
assert len(wrapped.val_step(mine)) == len(wrapped.test_step(mine)) == 4


class Returns(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, inputs, targets):
        outputs = self.linear(inputs)
        return {"loss": (outputs - targets).square().mean(), "logits": outputs}


alone, model = adapt_model(Returns()), adapt_model(Returns())
model.load_state_dict(alone.state_dict())
wrapped = MMDistributedDataParallel(model)
together, single = Sgd(wrapped), Sgd(alone)
for _ in range(3):
    wrapped.train_step(mine, together)
    alone.train_step(everything, single)
torch.testing.assert_close(model.linear.weight, alone.linear.weight)
"""

SEPARATE = """
from mainspring.model import MMDistributedDataParallel, MMSeparateDistributedDataParallel


class Gan(BaseModel):
    def __init__(self):
        super().__init__()
        self.generator = nn.Linear(2, 2)
        self.critic = nn.Linear(2, 1)
        self.frozen = nn.Linear(1, 1).requires_grad_(False)

    def forward(self, inputs, targets=None, mode="tensor"):
        return list(self.critic(self.generator(inputs)))

    def train_step(self, data, optim_wrapper):
        inputs = self.data_preprocessor(data, True)["inputs"]
        for name in ("critic", "generator"):
            loss = self.critic(self.generator(inputs)).mean()
            optim_wrapper[name].update_params(loss if name == "critic" else -loss)
        return {"loss": loss.detach()}


model = Gan()
wrapped = MMSeparateDistributedDataParallel(model, find_unused_parameters=False)
assert isinstance(model.generator, MMDistributedDataParallel)
assert isinstance(model.frozen, nn.Linear)
assert wrapped.train(False) is wrapped and not model.generator.training
wrapped.train()
optimizers = {"critic": Sgd(model.critic), "generator": Sgd(model.generator)}
wrapped.train_step(mine, optimizers)
with wrapped.no_sync():
    assert not model.generator.require_backward_grad_sync
assert model.generator.require_backward_grad_sync
both = [torch.empty_like(model.critic.module.weight) for _ in range(2)]
torch.distributed.all_gather(both, model.critic.module.weight.detach())
assert torch.equal(*both)
assert len(wrapped.val_step(mine)) == 4
"""

END = """
torch.distributed.barrier()
# Not through the interpreter's end, where gloo's threads now and then abort.
os._exit(0)
"""


@pytest.mark.parametrize("program", [PLAIN, SEPARATE], ids=["plain", "separate"])
def test_two_processes_train_like_one(program, tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(COMMON + program + END)
    ended = run_ranks(2, [str(script), str(tmp_path)])
    assert [each.returncode for each in ended] == [0, 0], "\n".join(each.stdout for each in ended)


def test_registered_classes_are_wrappers_and_children_count():
    class Mine(nn.Module):
        pass

    assert is_model_wrapper(nn.DataParallel(nn.Linear(1, 1)))
    assert not is_model_wrapper(nn.Linear(1, 1))
    assert not is_model_wrapper(Mine())
    child = Registry("model wrapper of a test", parent=MODEL_WRAPPERS, scope="wrapper_test")
    try:
        child.register_module(module=Mine)
        assert is_model_wrapper(Mine())
        assert is_model_wrapper(Mine(), child)
    finally:
        MODEL_WRAPPERS.children.pop("wrapper_test")


def test_fully_sharded_is_found_by_name_without_importing_it():
    program = (
        "import sys, mainspring.model\n"
        "from mainspring.registry import MODEL_WRAPPERS\n"
        "assert MODEL_WRAPPERS.get('MMFullyShardedDataParallel') is not None\n"
        "assert 'mainspring.model.wrappers.fully_sharded' not in sys.modules\n"
    )
    run([sys.executable, "-c", program], check=True)


class TestFullySharded:
    @pytest.fixture(autouse=True)
    def _group(self, tmp_path):
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
        )
        yield
        torch.distributed.destroy_process_group()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"sharding_strategy": "FULL_SHARDS"}, "use one of FULL_SHARD"),
            ({"sharding_strategy": 3}, "must be str or enum of `ShardingStrategy`"),
            ({"cpu_offload": "x"}, "`cpu_offload` should be"),
            ({"backward_prefetch": "y"}, "backward_prefetch='y'"),
            ({"mixed_precision": {"param_dtype": "float17"}}, "no type of torch"),
            ({"mixed_precision": 3}, "`mixed_precision` should be"),
            ({"auto_wrap_policy": 3}, "`auto_wrap_policy` should be"),
            ({"ignored_modules": ["zz"]}, "has no 'zz'"),
        ],
    )
    def test_wrong_arguments(self, arguments, message):
        from mainspring.model import MMFullyShardedDataParallel

        with pytest.raises((TypeError, ValueError), match=message):
            MMFullyShardedDataParallel(nn.Sequential(nn.Linear(2, 2)), **arguments)
