"""The command ``fedcart keyholder``."""

import json
import socket
from pathlib import Path
from typing import Annotated

import typer

from crypto.wire import parse_public_key

app = typer.Typer(
    help="Hold one of the three keys that open noisy sums (docs/key-holders.md).",
    no_args_is_help=True,
)
Home = Annotated[Path, typer.Option(help="This key holder's folder; its keys never leave it.")]


@app.command()
def init(
    home: Home,
    number: Annotated[int, typer.Option(help="Which of the three key holders: 1, 2 or 3.")],
    coordinator_key: Annotated[str, typer.Option(help="The coordinator's public key (base64url).")],
    consent_key: Annotated[str, typer.Option(help="The consent service's public key (base64url).")],
    population: Annotated[str, typer.Option(help="Name of the federation.")] = "fedcart",
    n_floor: Annotated[int, typer.Option(help="Open nothing over fewer participants.")] = 20,
    z_floor: Annotated[float, typer.Option(help="Open nothing with less noise than this.")] = 0.3,
    epsilon_cap: Annotated[
        float, typer.Option(help="ε that everything released may cost together.")
    ] = 10.0,
    delta_cap: Annotated[float, typer.Option(help="Take part in nothing with a larger δ.")] = 1e-5,
    max_dimension: Annotated[int, typer.Option(help="The longest contribution.")] = 2**24,
    *,
    share_sum: Annotated[
        bool,
        typer.Option(help="Open share sums too, which rest on an honest coordinator."),
    ] = False,
    allow_experimental: Annotated[
        bool, typer.Option(help="Allow noise that awaits outside review (Set B).")
    ] = False,
) -> None:
    """Create fresh keys (files of mode 0600) and pin whose signatures and which bounds count.

    Prints one JSON line; everybody else pins the file that it names as "card".
    """
    from crypto.keyholder.home import create
    from crypto.keyholder.pins import Pins
    from crypto.sums.schemes import Scheme

    pins = Pins(
        coordinator=parse_public_key(coordinator_key, what="coordinator key"),
        consent=parse_public_key(consent_key, what="consent key"),
        population=population,
        n_floor=n_floor,
        z_floor=z_floor,
        epsilon_cap=epsilon_cap,
        delta_cap=delta_cap,
        schemes=tuple(each for each in Scheme if each.votes or share_sum),
        allow_experimental=allow_experimental,
        max_dimension=max_dimension,
    )
    holder = create(home, number=number, pins=pins)
    typer.echo(_told(home, number, holder.name))


@app.command()
def peers(
    home: Home,
    peer: Annotated[
        list[str],
        typer.Option(metavar="URL,CARD_FILE", help="Another key holder; twice, in any order."),
    ],
) -> None:
    """Pin the other two key holders: where they answer, and their public cards.

    Counts at once for a key holder that serves. Prints one JSON line each.
    """
    from crypto.holder_card import parse_card
    from crypto.keyholder.peers import Peer, set_peers

    found = []
    for text in peer:
        url, _, file = text.partition(",")
        if not url.startswith(("http://", "https://")) or not Path(file).is_file():
            raise typer.BadParameter(f"{text!r}: expected URL,CARD_FILE.")
        card = parse_card(Path(file).read_bytes(), what=file)
        found.append(Peer(number=card.number, identity=card.identity, url=url))
    set_peers(home, found)
    for each in found:
        typer.echo(json.dumps({"peer": each.number, "identity": each.name, "url": each.url}))


@app.command()
def serve(
    home: Home,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
) -> None:
    """Serve; prints one JSON line with the address once it listens.

    Only one process may serve a home.
    """
    import uvicorn

    from crypto.keyholder.home import load
    from crypto.keyholder.keeping import only_one
    from crypto.keyholder.service import create_app

    holder = load(home)
    with only_one(home):
        app_served = create_app(holder)
        listener = socket.create_server((host, port))
        url = f"http://{host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(app_served, log_level="warning", access_log=False)
        typer.echo(json.dumps({"ready": url, "holder": holder.number}))
        uvicorn.Server(config).run(sockets=[listener])


@app.command()
def status(
    home: Home,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Show its rounds with their states, the ε that it has charged, and whom it blames."""
    from rich.console import Console

    from crypto.keyholder.home import load
    from crypto.keyholder.overview import overview, rounds_table, sentences

    found = overview(load(home))
    if as_json:
        for line in found.lines():
            typer.echo(json.dumps(line))
        return
    console = Console()
    console.print(rounds_table(found) if found.rounds else "No round yet.")
    for sentence in sentences(found):
        console.print(sentence)


@app.command()
def rotate(home: Home) -> None:
    """Retire this identity and make a new one, after a restore or an exposure.

    Stop serving first. Open rounds are lost, charged ε stays charged; the old card and a copy of
    the log go to old/. Everybody has to pin the new card. Prints one JSON line.
    """
    from crypto.keyholder import keeping
    from crypto.keyholder.peers import Peer

    card = keeping.rotate(home)
    own = Peer(number=card.number, identity=card.identity)
    typer.echo(_told(home, own.number, own.name))


@app.command()
def backup(
    home: Home, out: Annotated[Path, typer.Option(help="The tar file to write (mode 0600).")]
) -> None:
    """Write settings, identity and logs into one file; never a round's secret or an opening key."""
    from crypto.keyholder import keeping

    keeping.backup(home, out)
    typer.echo(json.dumps({"backup": str(out), "bytes": out.stat().st_size}))


def _told(home: Path, number: int, identity: str) -> str:
    card = home / "public.card"
    return json.dumps(
        {"home": str(home), "holder": number, "identity": identity, "card": str(card)}
    )
