"""The matrix: each question beside the data that it is about, answered with one click.

A No always counts, whatever else changed meanwhile. A Yes counts only if her consent is still as
this page showed it: a page that was left open never brings back what she withdrew elsewhere.
"""

from collections.abc import Collection
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from consent.panel import matrix
from consent.panel.matrix import Section
from consent.panel.page import Form, FormDep, Refused, ShopperDep, SignedIn, redirect, render
from consent.purpose import LIVE_STATES, Category, Cell, ConsentState, Decision
from consent.service.guardians.gate import NEVER, STATE_AGE
from consent.service.notices import service as notices
from consent.service.notices.schemas import Notices
from consent.service.problems import Problem
from consent.service.receipts.words import CATEGORIES, PURPOSES
from consent.service.shoppers import service
from consent.service.shoppers.schemas import DecisionEntry, Decisions
from consent.service.signals.gate import CONFLICT
from crypto.errors import InvalidInputError

router = APIRouter(include_in_schema=False)
AGE_PAGE: Final = "/age"


class Answer(NamedTuple):
    """What a button said: yes or no, and to which cells of which category."""

    yes: bool
    category: Category
    cells: Collection[Cell]


@router.get("/choices")
def choices(request: Request, visitor: ShopperDep, open: str = "") -> Response:  # noqa: A002
    """Everything that she can be asked, and where each answer stands. Nothing is preselected."""
    told = notices.read_all(visitor.context)
    notice = told.notices[-1]
    consents = service.read_consents(visitor.context, visitor.shopper, visitor.token)
    sections = matrix.sections(consents.consents, notice)
    opened = open if open in list(Category) else Category.PURCHASES.value
    return render(
        request,
        visitor,
        "choices.html",
        sections=sections,
        opened=opened,
        epoch=consents.epoch,
        notice=notice.version,
        given=sum(section.count("yes") for section in sections),
        about=matrix.ABOUT,
        uses=matrix.USES,
    )


@router.post("/choices")
def choose(request: Request, visitor: ShopperDep, form: FormDep) -> Response:
    """Save one answer, or one answer to all questions about a category."""
    consents = service.read_consents(visitor.context, visitor.shopper, visitor.token)
    told = notices.read_all(visitor.context)
    shown = matrix.sections(consents.consents, told.notices[-1])
    answer = _answer(visitor, form, shown)
    back = f"/choices?open={answer.category}#{answer.category}"
    if form.text("back") == "points":
        back = "/points"
    states = {Cell(each.purpose, each.category): each.state for each in consents.consents}
    if answer.yes:
        chosen = [cell for cell in answer.cells if len(answer.cells) == 1 or _new(states[cell])]
    else:
        chosen = [cell for cell in answer.cells if states[cell] not in matrix.ALREADY_NO]
    if not chosen:
        unchanged = visitor.say("This was your answer already. Nothing was changed.")
        return redirect(request, visitor, back, flash=unchanged, kind="info")
    seen = form.number("epoch", low=0, high=matrix.MAX_EPOCH)
    try:
        epoch = _decide(visitor, form, chosen, told, yes=answer.yes, seen=seen)
    except Problem as error:
        return _not_taken(request, visitor, answer, back, error)
    except InvalidInputError:
        return redirect(request, visitor, back, flash=_outdated(visitor), kind="bad")
    if not answer.yes and any(not _new(states[cell]) for cell in chosen):
        return redirect(
            request,
            visitor,
            f"/withdrawals/{epoch}",
            flash=_saved(visitor, answer, chosen, stale=seen != consents.epoch),
            whole_page=True,
        )
    return redirect(request, visitor, back, flash=_saved(visitor, answer, chosen))


@router.get("/choices/signal")
def signal(request: Request, visitor: ShopperDep, yes: str = "", all: str = "") -> Response:  # noqa: A002
    """Ask once more where a Yes contradicts her browser's privacy signal."""
    cell = matrix.parsed(yes)
    category = cell.category if cell else None
    if cell is None and all in list(Category):
        category = Category(all)
    if category is None:
        raise Problem(404, "There is no such question.")
    consents = service.read_consents(visitor.context, visitor.shopper, visitor.token)
    return render(
        request,
        visitor,
        "choices_signal.html",
        suffix="" if cell else "-to-all",
        value=yes if cell else all,
        cell=cell,
        asked=category,
        epoch=consents.epoch,
        notice=notices.read_all(visitor.context).current,
    )


def _not_taken(
    request: Request, visitor: SignedIn, answer: Answer, back: str, error: Problem
) -> Response:
    """Say why a decision was not saved, and what she can do."""
    if error.kind == CONFLICT:
        (first, *others) = answer.cells
        query = {"all": answer.category} if others else {"yes": matrix.name(first)}
        path = f"/choices/signal?{urlencode(query)}"
        return redirect(request, visitor, path, whole_page=True)
    if error.kind == STATE_AGE:
        said = visitor.say("Your Yes was not saved: say first which age band you are in.")
        return redirect(request, visitor, AGE_PAGE, flash=said, kind="bad", whole_page=True)
    if error.kind == NEVER:
        said = visitor.say("Your Yes was not saved: nobody of your age band is asked for this.")
        return redirect(request, visitor, back, flash=said, kind="bad")
    if error.status == HTTPStatus.PRECONDITION_FAILED:
        return redirect(request, visitor, back, flash=_overtaken(visitor), kind="bad")
    raise error


def _answer(visitor: SignedIn, form: Form, shown: Collection[Section]) -> Answer:
    """What was pressed.

    Raises:
        Refused: 422, no button of this page.
    """
    by_category = {section.category: section for section in shown}
    for name in ("yes", "no"):
        cell = matrix.parsed(form.text(name))
        section = by_category.get(cell.category) if cell else None
        if cell and section and cell in [ask.cell for ask in section.asks]:
            return Answer(name == "yes", cell.category, [cell])
        everything = form.text(f"{name}-to-all")
        section = by_category.get(Category(everything)) if everything in list(Category) else None
        if section is not None and section.category is not Category.SENSITIVE:
            cells = [ask.cell for ask in section.together]
            return Answer(name == "yes", section.category, cells)
    raise Refused(422, visitor.say("This is no question that you are asked. Nothing was changed."))


def _decide(
    visitor: SignedIn,
    form: Form,
    cells: Collection[Cell],
    told: Notices,
    *,
    yes: bool,
    seen: int | None,
) -> int:
    """Save the decision; a No ends what was given and refuses what was not.

    A Yes without the epoch that it was given at counts as one to a state that is long gone.
    """
    decision = Decision.GIVEN if yes else Decision.REFUSED
    entries = [
        DecisionEntry(purpose=cell.purpose, category=cell.category, decision=decision)
        for cell in cells
    ]
    version = form.text("notice") if yes else told.current
    if version not in [each.version for each in told.notices]:
        raise Refused(422, visitor.say("No notice of this version was published."))
    request = Decisions(
        decisions=entries,
        notice_version=version,
        language=visitor.language,
        confirm_signal=form.text("confirmed") == "signal",
    )
    seen_epoch = (-1 if seen is None else seen) if yes else None
    return service.decide(
        visitor.context,
        visitor.shopper,
        visitor.token,
        request,
        seen_epoch=seen_epoch,
        signal=visitor.gpc,
    ).epoch


def _new(state: ConsentState) -> bool:
    return state not in LIVE_STATES


def _saved(
    visitor: SignedIn, answer: Answer, cells: Collection[Cell], *, stale: bool = False
) -> str:
    if len(cells) == 1:
        (cell,) = cells
        names = {
            "purpose": PURPOSES[visitor.language][cell.purpose],
            "data": CATEGORIES[visitor.language][cell.category],
        }
        said = (
            visitor.say("Saved: Yes to “{purpose}” with your data: {data}.", **names)
            if answer.yes
            else visitor.say("Saved: No to “{purpose}” with your data: {data}.", **names)
        )
    else:
        data = CATEGORIES[visitor.language][answer.category]
        said = (
            visitor.say("Saved: Yes to {n} uses of your data: {data}.", n=len(cells), data=data)
            if answer.yes
            else visitor.say("Saved: No to {n} uses of your data: {data}.", n=len(cells), data=data)
        )
    if not stale:
        return said
    also = visitor.say("Your choices had also changed elsewhere since you opened the page.")
    return f"{said} {also}"


def _overtaken(visitor: SignedIn) -> str:
    return visitor.say(
        "Your choices changed elsewhere since you opened this page, so your Yes was not saved. "
        "Below is how they stand now."
    )


def _outdated(visitor: SignedIn) -> str:
    return visitor.say(
        "The notice changed since you opened this page, so your Yes was not saved. Read the new "
        "one before you answer."
    )
