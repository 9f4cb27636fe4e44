"""The command ``fedcart device``: one shopper's device."""

import typer

from client.choices_cli import choices, choose, forget, status, sync
from client.discovery_cli import discovery
from client.serve_cli import serve, token
from client.setup_cli import init, pair
from client.shelf_cli import explain, import_, recommend
from client.state_cli import state

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # reflows paragraphs
    pretty_exceptions_show_locals=False,  # locals may hold keys and tokens
)


@app.callback()
def device() -> None:
    """One shopper's device: her purchases stay on it, her choices steer it.

    It takes part in rounds as a Flower SuperNode whose node config names its folder, as in
    flower-supernode --node-config 'home="/home/ann/device"'; docs/running.md has every step.
    """


# In the order of a shopper's path.
app.command()(init)
app.command()(pair)
app.command("import")(import_)
app.command()(recommend)
app.command()(explain)
app.command()(discovery)
app.command()(serve)
app.command()(token)
app.command()(choices)
app.command()(choose)
app.command()(state)
app.command()(status)
app.command()(forget)
app.command()(sync)
