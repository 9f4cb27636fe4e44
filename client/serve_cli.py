"""The commands ``fedcart device serve`` and ``token``: her own page, and who else may ask it."""

import json
from typing import Annotated

import typer

from client.options_cli import HomeOption, JsonOption, ReleasesOption

PORT = 8650


def serve(
    home: HomeOption,
    releases: ReleasesOption,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="On this machine only.")] = PORT,
    *,
    open_it: Annotated[
        bool, typer.Option("--open", help="Open it in the browser of this machine.")
    ] = False,
) -> None:
    """Serve her own page and the local API on this machine, until Ctrl-C.

    Prints an address that opens the page in one browser, once, and the next one when it was used.
    Recommendations with reasons, what left and what stayed, her data to correct, copy and delete.
    """
    from crypto.errors import FedcartError

    try:
        from client.page.serve import serve as run
    except ModuleNotFoundError as error:
        raise FedcartError(
            f"The page needs a package that is not installed ({error.name}); "
            "type: pip install 'fedcart[page]'."
        ) from error
    run(home, releases, port=port, show=typer.echo, open_it=open_it)


def token(
    name: Annotated[str, typer.Argument(help="Which app it is for.")],
    home: HomeOption,
    *,
    end: Annotated[bool, typer.Option("--end", help="End the app's token instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let an app on this machine ask for recommendations: make its token, shown this once.

    It opens lists, reasons, the level of discovery, and how much left and stayed; never the
    purchases themselves. A token of the same name made before ends.
    """
    from client.app_tokens import end_token, make_token
    from client.home import ClientHome

    loaded = ClientHome.load(home)
    if end:
        ended = end_token(loaded, name)
        said = f"The token of {name} ended." if ended else f"{name} has no token."
        typer.echo(json.dumps({"name": name, "ended": ended}) if as_json else said)
        return
    made = make_token(loaded, name)
    typer.echo(json.dumps({"name": name, "token": made}) if as_json else made)
