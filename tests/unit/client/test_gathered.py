"""Options that commands share: declared and put together once, for whichever takes them."""

from typing import Annotated, Any

import typer
from typer.testing import CliRunner

from client.options_cli import gathered


def point_of(
    x: Annotated[int, typer.Option(help="Across.")],
    y: Annotated[int, typer.Option(help="Up.")] = 0,
    name: Annotated[str | None, typer.Option(help="Of the point.")] = None,
) -> tuple[int, int, str | None]:
    return x, y, name


def run(*words: str, **changes: Any) -> str:
    app = typer.Typer()

    @app.command()
    @gathered(point_of, into="point", **changes)
    def show(
        file: Annotated[str, typer.Argument()],
        point: tuple[int, int, str | None] | None,
        *,
        loud: Annotated[bool, typer.Option("--loud")] = False,
    ) -> None:
        """Show a point."""
        typer.echo(f"{file} {point} {loud}")

    return CliRunner().invoke(app, words).output.strip()


def test_a_command_gets_the_object_that_its_options_make() -> None:
    assert run("a", "--x", "1") == "a (1, 0, None) False"
    assert run("--loud", "--name", "p", "--y", "2", "--x", "1", "a") == "a (1, 2, 'p') True"


def test_its_help_is_its_own_and_names_the_options() -> None:
    said = run("--help")
    for part in ("Show a point.", "--x", "Across.", "--name", "--loud"):
        assert part in said
    assert "--point" not in said


def test_what_must_be_stated_is_said() -> None:
    assert "Missing option '--x'" in run("a")
    assert "Missing option '--name'" in run("a", "--x", "1", needed={"name"})


def test_options_can_be_left_out() -> None:
    assert "No such option" in run("a", "--x", "1", "--name", "p", without={"name"})
    assert run("a", "--x", "1", without={"name"}) == "a (1, 0, None) False"


def test_without_what_need_not_be_stated_there_is_no_object() -> None:
    assert run("a", optional={"x"}) == "a None False"
    assert run("a", "--x", "3", optional={"x"}) == "a (3, 0, None) False"
