"""What she states of herself for fairness audits: asked by nobody, answered if she likes."""

from fastapi import APIRouter, Request, Response

from client.page.desk import DeskDep
from client.page.form import FormDep
from client.page.render import redirect, render, say
from client.statements import NOTHING, read_statements, state
from consent.problem import Problem
from consent.tasks.groups import DEFAULT_SCHEMA
from crypto.errors import InvalidInputError

router = APIRouter(include_in_schema=False)


@router.get("/about")
def show(request: Request, desk: DeskDep) -> Response:
    """The questions, with what she answered."""
    home = desk.home
    stated = read_statements(home, home.shoppers[home.shopper])
    current = stated is not None and stated.schema == DEFAULT_SCHEMA.name
    return render(
        request,
        "about.html",
        attributes=DEFAULT_SCHEMA.attributes,
        answers=dict(stated.groups) if stated is not None and current else {},
        nothing=NOTHING,
        forgotten=not home.token_file.exists(),
    )


@router.post("/about")
def save(request: Request, desk: DeskDep, form: FormDep) -> Response:
    """Take her answers; what she left open is taken back."""
    answers = {name: form.text(name, NOTHING) or NOTHING for name in DEFAULT_SCHEMA.attributes}
    try:
        state(desk.home, answers)
    except InvalidInputError as error:
        raise Problem(422, "An answer is not on the list.") from error
    return redirect(
        request, "/about", flash=say(request, "Your answers were saved on this device.")
    )
