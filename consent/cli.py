"""The command ``fedcart consent``: set up and run a consent service."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from consent.accounts_cli import account, token
from consent.operators_cli import audit, deliver, export, repeat_erasures, retain

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold keys and tokens
)

notice = typer.Typer(no_args_is_help=True, help="The notice that shoppers decide under.")
app.add_typer(notice, name="notice")
oidc = typer.Typer(
    no_args_is_help=True, help="Identity providers of retailers that shoppers may sign in through."
)
app.add_typer(oidc, name="oidc")
app.add_typer(account, name="account")
app.add_typer(token, name="token")
app.add_typer(audit, name="audit")
for command in (deliver, retain, repeat_erasures, export):
    app.command()(command)
NOT_STATED = "not stated"
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
    database: Annotated[
        str | None,
        typer.Option(
            envvar="FEDCART_CONSENT_DATABASE",
            help="postgresql+psycopg://USER@HOST/DATABASE; without it, an SQLite file in the home.",
        ),
    ] = None,
    validity_days: Annotated[
        int, typer.Option(help="Days until consent expires.", min=1, max=1827)
    ] = 396,
    controller: Annotated[
        str, typer.Option(help="Who is responsible for the data; receipts name her.")
    ] = NOT_STATED,
    address: Annotated[str, typer.Option(help="Her postal address.")] = NOT_STATED,
    contact: Annotated[str, typer.Option(help="How shoppers reach her.")] = NOT_STATED,
    jurisdiction: Annotated[str, typer.Option(help="The law that applies.")] = NOT_STATED,
    storage: Annotated[str, typer.Option(help="Where these records are kept.")] = NOT_STATED,
    coordinator_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The coordinator's public key, or pin it later."),
    ] = None,
) -> None:
    """Create the signing key, the coordinator's token and the settings of a new service.

    Prints one JSON line with the public key that devices and key holders pin. Keys that exist are
    never overwritten.
    """
    from consent.receipt import Controller
    from consent.service.settings import create_home
    from crypto.wire import parse_public_key

    pinned = coordinator_key and parse_public_key(coordinator_key, what="coordinator key")
    made = create_home(
        home,
        issuer=issuer,
        grant_lifetime_s=grant_lifetime,
        database=database,
        validity_days=validity_days,
        controller=Controller(
            name=controller,
            address=address,
            contact=contact,
            jurisdiction=jurisdiction,
            storage=storage,
        ),
        coordinator_key=pinned or None,
    )
    line = {
        "home": str(made.path),
        "issuer": made.issuer,
        "public_key": made.public_key,
        "coordinator_token": str(made.coordinator_token),
    }
    typer.echo(json.dumps(line))


@app.command()
def pin_coordinator(
    home: HomeOption,
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its public key (base64url).")],
) -> None:
    """Pin the coordinator's public key: only manifests that it signed are shown as task policies.

    Needed for diaries and points. A running service reads it when it starts again.
    """
    from consent.service import settings
    from crypto.wire import parse_public_key

    settings.pin_coordinator(home, parse_public_key(key, what="coordinator key"))
    typer.echo(json.dumps({"home": str(home), "coordinator_key": key}))


@app.command()
def public_url(
    home: HomeOption,
    url: Annotated[str, typer.Argument(metavar="URL", help="https://HOST[:PORT], without a path.")],
) -> None:
    """Say where visitors find the service; passkeys and sign-in through a retailer need it.

    Passkeys belong to the host's name: under another one they are of no use. A running service
    reads it when it starts again.
    """
    from consent.origin import Origin
    from consent.service import settings

    origin = Origin.parse(url)
    settings.set_public_url(home, origin)
    typer.echo(json.dumps({"home": str(home), "public_url": str(origin)}))


@app.command()
def migrate(home: HomeOption) -> None:
    """Bring the database of an older fedcart to this version's schema. Back it up before."""
    from consent.service.database import Database
    from consent.service.schema import HEAD
    from consent.service.settings import Settings

    settings = Settings.load(home)
    Database(settings.url, durable=settings.durable, migrate=True).close()
    typer.echo(json.dumps({"schema": HEAD}))


@app.command()
def serve(
    home: Annotated[
        Path | None, typer.Option(help="Folder with the service's key and database.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8640,
    *,
    demo: Annotated[
        bool, typer.Option("--demo", help="Look around: a seeded panel that is gone afterwards.")
    ] = False,
) -> None:
    """Serve over HTTP; prints ``{"ready": url}`` once it listens. Put TLS in front of it."""

    def ready(url: str) -> None:
        typer.echo(json.dumps({"ready": url}))

    if demo == (home is not None):
        raise typer.BadParameter("Pass either --home or --demo.")
    if home is None:
        from consent.panel.demo.serve import serve_demo

        serve_demo(
            host=host, port=port, say=lambda line: typer.echo(line, err=True), on_ready=ready
        )
        return
    from consent.panel.app import create_site
    from consent.service.server import run
    from consent.service.settings import Settings

    site = create_site(replace(Settings.load(home), background_jobs=True))
    run(site, host=host, port=port, on_ready=ready)


@oidc.command("add")
def add_provider(
    home: HomeOption,
    name: Annotated[str, typer.Option(help="Names it in addresses: lower case, digits, hyphens.")],
    issuer: Annotated[str, typer.Option(help="Its issuer, exactly as in its metadata.")],
    client_id: Annotated[str, typer.Option(help="This service's name there.")],
    client_secret_file: Annotated[
        Path | None,
        typer.Option(help="File with the client's secret (mode 600); none for a public client."),
    ] = None,
    client_secret_env: Annotated[
        str | None, typer.Option(help="Or the environment variable that holds it.")
    ] = None,
    label: Annotated[str, typer.Option(help="What its button says; its name otherwise.")] = "",
) -> None:
    """Let shoppers sign in through one more identity provider. The secret itself is not copied.

    Its callback is PUBLIC_URL/login/oidc/NAME/callback. A running service reads it when it starts
    again.
    """
    from consent.identity_provider import IdentityProvider
    from consent.service import settings

    provider = IdentityProvider(
        name=name,
        issuer=issuer,
        client_id=client_id,
        label=label,
        client_secret_file=client_secret_file and client_secret_file.resolve(),
        client_secret_env=client_secret_env,
    )
    settings.add_provider(home, provider)
    typer.echo(json.dumps(provider.to_json()))


@oidc.command("list")
def list_providers(home: HomeOption) -> None:
    """Show the identity providers, one JSON line each, without secrets."""
    from consent.service.settings import Settings

    for provider in Settings.load(home).oidc:
        typer.echo(json.dumps(provider.to_json()))


@notice.command()
def publish(
    version: Annotated[str, typer.Argument(help="A version that is shipped, or in HOME/notices.")],
    home: HomeOption,
) -> None:
    """Make a version of the notice the current one.

    Consent to the purposes that it touches ends at once, for every shopper. Prints for how many.
    """
    from consent.service.context import opened
    from consent.service.notices.service import publish as make_current
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        ended = make_current(context, version)
    typer.echo(json.dumps({"current": version, "consent_ended": ended}))


@app.command()
def expire(home: HomeOption) -> None:
    """Write down what has expired. Expired consent permits nothing, also before this has run."""
    from consent.service.context import opened
    from consent.service.records.service import write_expiries
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        typer.echo(json.dumps({"shoppers": write_expiries(context)}))


@app.command()
def verify(
    key: Annotated[str, typer.Option(help="The service's public key, as pinned.")],
    receipt: Annotated[
        Path | None, typer.Argument(help="A receipt, as JSON-LD.", metavar="RECEIPT.json")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The proof of a withdrawal, instead of a receipt.")
    ] = None,
    head: Annotated[
        Path | None, typer.Option(help="A tree head that you have from elsewhere.")
    ] = None,
    earlier_head: Annotated[Path | None, typer.Option(help="A tree head that you kept.")] = None,
    consistency: Annotated[
        list[Path] | None, typer.Option(help="A consistency proof between two heads.")
    ] = None,
) -> None:
    """Check a receipt, and the log that it stands in, or the proof of a withdrawal, offline.

    Exit code 0: everything holds; 1: something does not; 2: the files can't be read.
    """
    from consent import verify as offline
    from consent.receipt import Receipt
    from consent.withdrawal import Bundle, verify_bundle
    from crypto.errors import InvalidInputError
    from crypto.wire import SignedRecord, parse_public_key

    if (receipt is None) == (bundle is None):
        typer.echo("error: Name a receipt, or a --bundle, and not both.", err=True)
        raise typer.Exit(2)
    if bundle is not None and (head or earlier_head or consistency):
        typer.echo("error: Heads are checked with a receipt; a bundle has one in it.", err=True)
        raise typer.Exit(2)
    try:
        pinned = parse_public_key(key, what="public key")
        if bundle is not None:
            checks = verify_bundle(Bundle.from_bytes(bundle.read_bytes()), pinned)
        elif receipt is not None:
            evidence = offline.Evidence(
                receipt=Receipt.from_bytes(receipt.read_bytes()),
                heads=[SignedRecord.from_bytes(f.read_bytes()) for f in (head, earlier_head) if f],
                proofs=[
                    offline.ConsistencyProof.from_bytes(f.read_bytes()) for f in consistency or ()
                ],
            )
            checks = offline.verify(evidence, pinned)
    except (OSError, ValueError, InvalidInputError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    for check in checks:
        typer.echo(f"{'holds' if check.holds else 'FAILS'}: {check.text}")
    raise typer.Exit(0 if all(check.holds for check in checks) else 1)
