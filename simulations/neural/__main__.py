"""``python -m simulations.neural``: the two paths side by side, one JSON object a line."""

import json
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from client.store.neural.clipping import Clipping
from simulations.evaluation.protocol import split
from simulations.neural.comparison import Bench, Plan, cases, ledger
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
    """Compare noisy sums with the two-tower ranker on Complete Journey's validation fold."""
    torch.set_num_threads(threads)
    begun = time.perf_counter()
    plan = Plan(rounds=rounds, width=width, step=step)
    bench = Bench(split(load_complete_journey()).validation, plan, device=device)
    budgets = epsilon or [1.0, 4.0, 8.0]
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w") as file:

        def write(line: dict[str, Any]) -> None:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            typer.echo(json.dumps(line, ensure_ascii=False))

        write(_about(bench, plan, device, threads))
        for told in ledger(plan, budgets):
            write({"part": "ledger", **told})
        for case in cases(budgets, population or [], seeds=seeds):
            write({"part": "quality", **bench.run(case)})
        for told in _clipping(bench):
            write(told)
        write({"part": "end", "seconds": round(time.perf_counter() - begun, 1)})


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


def _clipping(bench: Bench) -> Iterator[dict[str, Any]]:
    for mode, seconds in bench.clipping_seconds(_SHOPPERS_AT_ONCE).items():
        yield {"part": "clipping", "mode": mode, "seconds_a_round": seconds}


if __name__ == "__main__":
    typer.run(main)
