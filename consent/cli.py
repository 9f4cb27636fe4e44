"""The command ``fedcart consent``: set up and run a consent service."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold keys and tokens
)

HomeOption = Annotated[Path, typer.Option(help="Folder with the service's key and database.")]


@app.callback()
def consent() -> None:
    """The consent service: who agreed to what."""


@app.command()
def init(
    home: HomeOption,
    issuer: Annotated[str, typer.Option(help="Name that grants carry.")] = "fedcart-consent",
    grant_lifetime: Annotated[
        int, typer.Option(help="Seconds a grant lives.", min=1, max=600)
    ] = 600,
) -> None:
    """Create the signing key, the coordinator's token and the settings of a new service.

    Prints one JSON line with the public key that devices and key holders pin. Keys that exist are
    never overwritten.
    """
    from consent.service.settings import create_home

    made = create_home(home, issuer=issuer, grant_lifetime_s=grant_lifetime)
    line = {
        "home": str(made.path),
        "issuer": made.issuer,
        "public_key": made.public_key,
        "coordinator_token": str(made.coordinator_token),
    }
    typer.echo(json.dumps(line))


@app.command()
def serve(
    home: HomeOption,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8640,
) -> None:
    """Serve over HTTP; prints ``{"ready": url}`` once it listens. Put TLS in front of it."""
    from consent.service.app import create_app
    from consent.service.server import run
    from consent.service.settings import Settings

    run(
        create_app(Settings.load(home)),
        host=host,
        port=port,
        on_ready=lambda url: typer.echo(json.dumps({"ready": url})),
    )
