"""The command ``fedcart keyholder``."""

import json
import socket
from pathlib import Path
from typing import Annotated

import typer

from crypto.wire import b64, parse_public_key, public_bytes

app = typer.Typer(
    help="Hold one of the three keys that open noisy sums (any two are needed).",
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
) -> None:
    """Create fresh keys (files of mode 0600) and pin whose signatures count.

    Prints one JSON line; the coordinator pins the identity, and everybody gets the public context.
    """
    from crypto.keyholder.home import Pins, create

    pins = Pins(
        coordinator=parse_public_key(coordinator_key, what="coordinator key"),
        consent=parse_public_key(consent_key, what="consent key"),
        population=population,
        n_floor=n_floor,
        z_floor=z_floor,
    )
    holder = create(home, number=number, pins=pins)
    line = {
        "home": str(home),
        "holder": number,
        "identity": b64(public_bytes(holder.identity.public_key())),
        "public_context": str(home / "public.context"),
        "card": holder.card.to_json(),
    }
    typer.echo(json.dumps(line))


@app.command()
def serve(
    home: Home,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
) -> None:
    """Serve; prints one JSON line with the address once it listens."""
    import uvicorn

    from crypto.keyholder.home import load
    from crypto.keyholder.service import create_app

    holder = load(home)
    listener = socket.create_server((host, port))
    url = f"http://{host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(create_app(holder), log_level="warning", access_log=False)
    typer.echo(json.dumps({"ready": url, "holder": holder.number}))
    uvicorn.Server(config).run(sockets=[listener])


@app.command()
def status(home: Home) -> None:
    """Print which rounds this key holder has answered, as JSON lines."""
    from crypto.keyholder.home import load
    from crypto.keyholder.register import Register

    holder = load(home)
    for entry in Register(holder.home / "register.db").answered():
        typer.echo(json.dumps(vars(entry)))
