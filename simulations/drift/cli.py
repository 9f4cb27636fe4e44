"""``fedcart drift``: many weeks of recommending and buying, with and without a discovery zone."""

import json
from pathlib import Path
from typing import Annotated

import typer


def drift(
    weeks: Annotated[int, typer.Option(help="Of recommending.", min=8, max=520)] = 26,
    seeds: Annotated[int, typer.Option(help="Towns; intervals are over them.", min=2)] = 5,
    shoppers: Annotated[int, typer.Option(help="In each town.", min=2)] = 100,
    items: Annotated[int, typer.Option(help="On its shelf, ten a category.", min=30)] = 600,
    epsilon: Annotated[
        float, typer.Option(help="Budget of each week's release; 0 for no noise.", min=0.0)
    ] = 0.0,
    noise_shoppers: Annotated[
        int | None, typer.Option(help="Scale the noise as if so many shoppers took part.", min=1)
    ] = None,
    slider: Annotated[
        str, typer.Option(help="Every shopper's: none, less, as-i-shop, more or much-more.")
    ] = "as-i-shop",
    seed: Annotated[int, typer.Option(help="Of the first town.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write drift.html and drift.json there.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Does recommending narrow what people buy, and what does a discovery zone change?

    Simulates made-up shoppers over many weeks in which models are estimated from what was bought
    and what is bought depends on the lists. A few minutes on one core.
    """
    from client.recommender.openness import Breadth
    from simulations.drift.page import sentences, write
    from simulations.drift.study import Options, study
    from simulations.drift.town import Habits
    from simulations.progress import shown

    if slider not in set(Breadth):
        raise typer.BadParameter(f"There are {', '.join(Breadth)}.", param_hint="--slider")
    options = Options(
        weeks=weeks,
        seeds=seeds,
        seed=seed,
        habits=Habits(shoppers=shoppers, items=items, categories=items // 10),
        breadth=Breadth(slider),
        epsilon=epsilon or None,
        noise_shoppers=noise_shoppers,
    )
    with shown() as progress:
        record = study(options, progress=progress)
    page = None if out is None else write(record, out)
    if as_json:
        typer.echo(json.dumps(record))
        return
    typer.echo("Against a list of the best items only, over the last weeks, clear of chance:")
    for sentence in sentences(record):
        typer.echo(f"  {sentence}")
    if page is not None:
        typer.echo(f"Page: {page}")
