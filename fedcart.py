"""The command ``fedcart``: mounts each party's own commands, and loads only the one that is asked.

Exit codes: 0 done, 1 failed, 2 wrong use.
"""

import importlib
import os
import sys
from typing import Final

import click
import typer
from typer.core import TyperGroup

# name: (module with an ``app``, one line of help). Imported only when the name is used.
PARTIES: Final = {
    "consent": ("consent.cli", "Run the consent service that shoppers decide in."),
    "keyholder": ("crypto.keyholder.cli", "Hold one of the three keys that open noisy sums."),
    "coordinator": ("server.cli", "Coordinate rounds: set up, plan, see what is spent."),
    "device": ("client.cli", "Be one shopper's device: import, recommend, choose, forget."),
    "store": ("client.store.cli", "Be a store's silo: stand for its shoppers, from its own till."),
}
# These are commands of simulations/cli.py, mounted at the top level.
RESEARCH: Final = {
    "demo": "Run the whole federation on real shopping data, embedded, and open the report.",
    "simulate": "Run a scenario file: what if ε, consent or dropout were different?",
    "up": "Start a live federation on this machine, each party a process of its own.",
    "evaluate": "Measure recommendation quality on a data set, by published protocols.",
    "drift": "Weeks of recommending and buying, with and without a discovery zone.",
    "fairness": "Audit by groups: is anybody served worse, and could that have been seen?",
    "audit": "Attack a run: what do its releases, uploads and protocol give away?",
    "data": "Import anybody's CSV or Parquet.",
    "report": "Render runs as one HTML file.",
    "bench": "Measure speed, one JSON object a line.",
}
# Flower reads these when it is imported; fedcart makes no connection that nobody asked for.
QUIET: Final = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}


class LazyGroup(TyperGroup):
    """A group that knows the names of its commands before it imports them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a newcomer's path: research first, then the parties."""
        del ctx
        return [*RESEARCH, *PARTIES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that has the command; only names while help is rendered."""
        if ctx.resilient_parsing or _wants_help_only():
            return _placeholder(cmd_name)
        if cmd_name in PARTIES:
            module = importlib.import_module(PARTIES[cmd_name][0])
            return typer.main.get_command(module.app)
        if cmd_name in RESEARCH:
            module = importlib.import_module("simulations.cli")
            group = typer.main.get_command(module.app)
            if not isinstance(group, click.Group):
                raise TypeError("simulations.cli.app must be a group of commands.")
            return group.get_command(ctx, cmd_name)
        return None


def _wants_help_only() -> bool:
    arguments = sys.argv[1:]
    return not arguments or arguments[0] in ("--help", "-h")


def _placeholder(name: str) -> click.Command | None:
    text = PARTIES[name][1] if name in PARTIES else RESEARCH.get(name)
    return None if text is None else click.Command(name, help=text)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals may hold keys
    context_settings={"help_option_names": ["-h", "--help"]},
    help="fedcart: everything shared is a noisy sum, everything personal stays home.",
)


@app.callback(invoke_without_command=True)
def _root(
    *, version: bool = typer.Option(False, "--version", help="Print the version and leave.")
) -> None:
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415 - keeps --help fast

        typer.echo(installed("fedcart"))
        raise typer.Exit


def main() -> None:
    """Run the command line; errors of ours become one clear line and an exit code."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from crypto.errors import FedcartError, InvalidInputError, PlanError  # noqa: PLC0415

    try:
        app()
    except (InvalidInputError, PlanError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from error
    except (FedcartError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
