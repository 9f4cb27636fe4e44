"""``python -m simulations.neural``: the two paths side by side, one JSON object a line."""

import json
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from client.store.neural.clipping import Clipping
from crypto.errors import InvalidInputError
from simulations.evaluation.protocol import split
from simulations.neural.comparison import Bench, Case, Plan, cases, ledger
from simulations.population.complete_journey import load_complete_journey

_SHOPPERS_AT_ONCE = {Clipping.GHOST: 256, Clipping.HOOKS: 32}


def main(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the lines go.")],
    epsilon: Annotated[list[float] | None, typer.Option(help="May be repeated.")] = None,
    population: Annotated[
        list[int] | None, typer.Option(help="Also with noise as for so many shoppers.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of the noise.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Of the two-tower's training.")] = 20,
    width: Annotated[int, typer.Option(min=1, help="Of its vectors.")] = 8,
    step: Annotated[float, typer.Option(min=0.0, help="Of the coordinator.")] = 40.0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="Of torch on a CPU.")] = 1,
) -> None:
    """Compare noisy sums with the two-tower ranker on Complete Journey's validation fold.

    A run that was cut off goes on where it stopped: what its file has is not computed again.
    """
    torch.set_num_threads(threads)
    plan = Plan(rounds=rounds, width=width, step=step)
    bench = Bench(split(load_complete_journey()).validation, plan, device=device)
    budgets = epsilon or [1.0, 4.0, 8.0]
    out.parent.mkdir(parents=True, exist_ok=True)
    there = _known(out)
    about = _about(bench, plan, device, threads)
    if there and about not in there:
        raise InvalidInputError(f"{out} has a run of another plan or machine; name another file.")
    with out.open("a") as file:
        every = cases(budgets, population or [], seeds=seeds)
        for key, compute in _parts(bench, plan, about, every, budgets):
            if any(key.items() <= line.items() for line in there):
                continue
            line = key | compute()
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            typer.echo(json.dumps(line, ensure_ascii=False))


def _known(out: Path) -> list[dict[str, Any]]:
    if not out.exists():
        return []
    return [json.loads(line) for line in out.read_text().splitlines()]


def _parts(
    bench: Bench,
    plan: Plan,
    about: dict[str, Any],
    every: Iterable[Case],
    budgets: Iterable[float],
) -> Iterator[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]:
    """What names each line, and how the rest of it is computed."""
    yield about, dict
    for told in ledger(plan, budgets):
        yield {"part": "ledger", **told}, dict
    for case in every:
        yield {"part": "quality", **asdict(case)}, partial(bench.run, case)
    for mode, at_once in _SHOPPERS_AT_ONCE.items():
        key = {"part": "clipping", "mode": mode.value, "shoppers_at_once": at_once}
        yield key, partial(_seconds, bench, mode, at_once)


def _seconds(bench: Bench, mode: Clipping, at_once: int) -> dict[str, Any]:
    return {"seconds_a_round": bench.clipping_seconds(mode, at_once=at_once)}


def _about(bench: Bench, plan: Plan, device: str, threads: int) -> dict[str, Any]:
    accelerator = torch.cuda.get_device_name() if device == "cuda" else None
    return {
        "part": "about",
        "dataset": "complete-journey, product types, next basket, validation fold",
        "shoppers": bench.shoppers,
        "silos": len(bench.silos),
        "items": bench.shape.items,
        "parameters": bench.shape.dimension,
        "rounds": plan.rounds,
        "clipping_norm": plan.clipping_norm,
        "step": plan.step,
        "width": plan.width,
        "sealing": "none",
        "machine": platform.machine(),
        "threads": threads,
        "accelerator": accelerator,
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    typer.run(main)
