"""The bare loop with its whole step compiled by hand: forward, backward and optimizer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.adam import adam

from engines import bare
from engines.job import Job, UnsupportedError

PACKAGE = "torch"


def fit(job: Job) -> None:
    """Train."""
    if job.distributed:
        raise UnsupportedError("the compiled step has no gradient exchange")
    net = job.net
    parameters = list(net.parameters())
    optimizer = job.optimizer(parameters)
    first, second, steps = _state(optimizer, parameters)
    # One graph can hold the backward pass only with this on.
    torch._dynamo.config.trace_autograd_ops = True

    # `optimizer.step` would break the graph, so its function is called.
    @torch.compile(fullgraph=True)
    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        loss = job.loss(net(inputs), targets)
        gradients = list(torch.autograd.grad(loss, parameters))
        with torch.no_grad():
            adam(
                parameters,
                gradients,
                first,
                second,
                [],
                steps,
                foreach=False,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=job.learning_rate,
                weight_decay=0.01,
                eps=1e-8,
                maximize=False,
                decoupled_weight_decay=True,
            )
        return loss.detach()

    bare.run(job, step, optimizer)


def _state(
    optimizer: torch.optim.Optimizer, parameters: list[torch.nn.Parameter]
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """AdamW's state, made now rather than at the first step."""
    for parameter in parameters:
        optimizer.state[parameter] = {
            "step": torch.tensor(0.0),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    states = [optimizer.state[parameter] for parameter in parameters]
    return (
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [state["step"] for state in states],
    )
