"""Options that several commands of ``fedcart device`` and ``fedcart store`` take."""

from collections.abc import Callable, Collection
from functools import update_wrapper
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

HomeOption = Annotated[Path, typer.Option(metavar="DIR", help="The device's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ReleasesOption = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="Released artefacts: a coordinator's releases folder, or any with artefact.json.",
    ),
]
EveryOption = Annotated[
    float | None,
    typer.Option("--watch", metavar="SECONDS", min=1.0, help="Do it again, until Ctrl-C."),
]
AnswersArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ATTRIBUTE=GROUP]...",
        help='As in age=35-44; "age=nothing" takes it back. Without any, shows them.',
    ),
]
SchemaOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", exists=True, dir_okay=False, help="The operator's list of groups."
    ),
]


def gathered(
    maker: Callable[..., object],
    *,
    into: str,
    without: Collection[str] = (),
    needed: Collection[str] = (),
    optional: Collection[str] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take one object in the place of the options that it is made of.

    The options are the parameters of ``maker``: several commands share them, and how they are put
    together, without repeating either.

    Args:
        maker: makes the object; its parameters are annotated as a command's are.
        into: the command's parameter for the object.
        without: options that the command doesn't have; ``maker`` has defaults for them.
        needed: options that must be stated, though ``maker`` has a default for them.
        optional: options that need not be stated; without one of them the object is None.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        offered = {
            name: _offered(parameter, needed=name in needed, optional=name in optional)
            for name, parameter in signature(maker).parameters.items()
            if name not in without
        }

        def run(**given: Any) -> None:
            options = {name: given.pop(name) for name in offered}
            stated = all(options[name] for name in optional)
            command(**given, **{into: maker(**options) if stated else None})

        own = signature(command).parameters.values()
        shown = [
            each
            for parameter in own
            for each in (
                offered.values()
                if parameter.name == into
                else [parameter.replace(kind=Parameter.KEYWORD_ONLY)]
            )
        ]
        names = ("__module__", "__name__", "__qualname__", "__doc__")
        update_wrapper(run, command, assigned=names, updated=())
        run.__dict__["__signature__"] = Signature(shown)
        return run

    return decorate


def _offered(parameter: Parameter, *, needed: bool, optional: bool) -> Parameter:
    default = Parameter.empty if needed else None if optional else parameter.default
    return parameter.replace(kind=Parameter.KEYWORD_ONLY, default=default)
