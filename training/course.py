"""A course of training over numbered batches: it can be stopped at any time and goes on with the next batch.

`out` is its folder; the checkpoint in it holds the network, the optimiser and the number of the next batch.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

B = TypeVar("B")
Net = TypeVar("Net", bound=nn.Module)

_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class Plan:
    """How many batches there are in all, the peak of the learning rate, after how many batches all is kept."""

    batches: int
    learning_rate: float
    keep_every: int


@dataclass(frozen=True, slots=True)
class Lessons(Generic[B]):
    """`drawn`: the batches from a number on; `learn`: one step over a batch and its number, gives the loss, None where
    there was nothing in it.
    """

    drawn: Callable[[int], torch.utils.data.DataLoader[B]]
    learn: Callable[[B, int], float | None]


def options(description: str, out: Path, batches: int, workers: int) -> argparse.ArgumentParser:
    """What every course is told at the command line; the numbers are what it takes when nothing is said."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--batches", type=int, default=batches)
    parser.add_argument("--workers", type=int, default=workers)
    parser.add_argument("--export", type=Path)
    return parser


def rate(peak: float, done: float) -> float:
    """Learning rate: a short warm-up, then a cosine."""
    return peak * min(1.0, done / 0.03 + 0.05) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def keep(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def train(out: Path, net: nn.Module, optimiser: torch.optim.Optimizer, plan: Plan, lessons: Lessons[B]) -> None:
    """Train up to the batches of the plan; goes on where the checkpoint stands."""
    path, number = out / _CHECKPOINT, 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        number = state["number"]
    loss_mean, start = 1.0, time.monotonic()
    for batch in lessons.drawn(number):
        if number >= plan.batches:
            break
        for group in optimiser.param_groups:
            group["lr"] = rate(plan.learning_rate, number / plan.batches)
        loss = lessons.learn(batch, number)
        if loss is not None:
            loss_mean += (loss - loss_mean) / 40
        number += 1
        if number % plan.keep_every == 0 or number == plan.batches:
            keep(path, {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "number": number})
            print(f"{number} batches, {time.monotonic() - start:.0f} s, loss {loss_mean:.4f}", flush=True)


def step(net: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> float:
    """Learn by this loss; gives it."""
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(net.parameters(), 2.0)
    optimiser.step()
    return loss.item()


def trained(out: Path, net: Net) -> Net:
    """The network with the weights of the checkpoint, ready to be asked."""
    net.load_state_dict(torch.load(out / _CHECKPOINT, weights_only=True)["net"])
    net.eval()
    return net
