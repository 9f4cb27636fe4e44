"""Forgetting: every consent withdrawn, then everything of hers erased from this device."""

from fastapi import APIRouter, Request, Response

from client.choices import forget
from client.own_data import kept
from client.page.desk import DeskDep
from client.page.form import FormDep
from client.page.render import redirect, render, say
from crypto.errors import ConsentError

router = APIRouter(include_in_schema=False)


@router.get("/forget")
def ask(request: Request, desk: DeskDep) -> Response:
    """What forgetting does and what it can't do."""
    return _page(request, desk)


@router.post("/forget")
def do(request: Request, desk: DeskDep, form: FormDep) -> Response:
    """Forget, once it was ticked that this is meant."""
    if form.text("sure") != "yes":
        return _page(request, desk, status=422)
    home = desk.home
    if not home.token_file.exists():
        return redirect(request, "/forget")
    try:
        done = forget(home, desk.http(home))
    except ConsentError:
        return _page(request, desk, status=503)
    said = say(
        request,
        "Forgotten. Lines erased: {n}, copies erased: {files}. Every consent was withdrawn.",
        n=done.lines,
        files=done.files,
    )
    return redirect(request, "/", flash=said)


def _page(request: Request, desk: DeskDep, *, status: int = 200) -> Response:
    home = desk.home
    return render(
        request,
        "forget.html",
        status=status,
        kept=kept(home),
        forgotten=not home.token_file.exists(),
        unsure=status == 422,
        away=status == 503,
    )
