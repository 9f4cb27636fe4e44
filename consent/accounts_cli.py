"""The commands ``fedcart consent account`` and ``fedcart consent token``: who may get in.

Whoever can run them owns the service's home folder. They are the only way to an operator's or an
auditor's account and to a machine's token.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

account = typer.Typer(no_args_is_help=True, help="Operators' and auditors' accounts.")
token = typer.Typer(no_args_is_help=True, help="Tokens of machines: tills, scripts, jobs.")
HomeOption = Annotated[Path, typer.Option(help="Folder with the service's key and database.")]
NameOption = Annotated[str, typer.Option(help="What she logs in with.")]


@account.command("add")
def add_account(
    home: HomeOption,
    role: Annotated[str, typer.Option(help="operator or auditor.")],
    name: NameOption,
) -> None:
    """Make an account, or give one that is there a new start: logins, password and passkeys end.

    Prints a setup code once. With it and the name, she sets her password within 24 hours.
    """
    from consent.service.accounts import staff
    from consent.service.context import opened
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        made = staff.add(context, role, name)
    typer.echo(json.dumps({"account": made.account, "setup_code": made.setup_code}))


@account.command("list")
def list_accounts(home: HomeOption) -> None:
    """Print every operator's and auditor's account, one JSON line each."""
    from consent.service.accounts import staff
    from consent.service.context import opened
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        found = staff.accounts(context)
    for each in found:
        line = {
            "account": each.id,
            "role": each.role,
            "name": each.name,
            "has_password": each.password_hash is not None,
            "created_at": each.created_at,
            "closed_at": each.closed_at,
        }
        typer.echo(json.dumps(line))


@account.command("close")
def close_account(home: HomeOption, name: NameOption) -> None:
    """Close an account for ever; its logins end at once."""
    from consent.service.accounts import staff
    from consent.service.context import opened
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        closed = staff.close(context, name)
    typer.echo(json.dumps({"closed": closed}))


@token.command("add")
def add_token(
    home: HomeOption,
    role: Annotated[str, typer.Option(help="store, auditor or operator.")],
    name: Annotated[str, typer.Option(help="Whose it is; a store's tokens share its name.")],
    days: Annotated[
        int | None, typer.Option(help="Days until it expires; else it does not.", min=1, max=3653)
    ] = None,
) -> None:
    """Make a token and print it, once."""
    from consent.service.context import opened
    from consent.service.machines import service
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        made = service.add(context, role, name, days=days)
    typer.echo(json.dumps({"id": made.id, "token": made.token, "expires_at": made.expires_at}))


@token.command("list")
def list_tokens(home: HomeOption) -> None:
    """Print every token's id, role, name and times, one JSON line each; never the token."""
    from consent.service.context import opened
    from consent.service.machines import service
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        found = service.every(context)
    for each in found.tokens:
        typer.echo(each.model_dump_json())


@token.command("revoke")
def revoke_token(
    home: HomeOption, id_: Annotated[str, typer.Argument(metavar="ID", help="From the list.")]
) -> None:
    """Revoke a token; it is dead at once."""
    from consent.service.context import opened
    from consent.service.machines import service
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        service.revoke_here(context, id_)
    typer.echo(json.dumps({"revoked": id_}))
