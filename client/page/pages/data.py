"""Her purchases: look at them, put a line right, delete some, take a copy.

These are her rights, not uses of her data: none of them asks for consent, and all of them work
while the consent service is away.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from client.home import ClientHome
from client.journal import Journal
from client.own_data import Line, correct, delete, delete_item, kept, own_lines
from client.page.desk import Desk, DeskDep
from client.page.form import Form, FormDep
from client.page.render import redirect, render, say
from client.personal_export import export_path, write_export
from consent.problem import Problem
from crypto.errors import WireError

router = APIRouter(include_in_schema=False)
PAGE: Final = 25
_MAX_NAME: Final = 128
ItemQuery = Annotated[str, Query(max_length=_MAX_NAME)]


@router.get("/data")
def show(
    request: Request,
    desk: DeskDep,
    item: ItemQuery = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Her lines, newest first, a page at a time; found by what the till or the list calls them."""
    home = desk.home
    lines = _named(home, item.strip())
    pages = max(1, -(-len(lines) // PAGE))
    page = min(page, pages)
    return render(
        request,
        "data.html",
        kept=kept(home),
        lines=[_shown(home, each) for each in lines[(page - 1) * PAGE : page * PAGE]],
        found=len(lines),
        named=item.strip(),
        page=page,
        pages=pages,
    )


@router.get("/data/line")
def line(request: Request, desk: DeskDep, item: ItemQuery, day: str) -> Response:
    """One line, with forms to correct and delete it."""
    return _line_page(request, desk, item, day)


@router.post("/data/correct")
def save(request: Request, desk: DeskDep, form: FormDep) -> Response:
    """Correct a line; what is left as it was stays as it is."""
    item, day = form.text("item"), form.text("day")
    now = _found(desk.home, item, day)
    try:
        values = _changes(form, now)
        changed = correct(desk.home, item, day, values) if values else 0
    except (WireError, ValueError):
        return _line_page(request, desk, item, day, status=422, typed=form.fields)
    if not changed:
        return redirect(
            request,
            "/data",
            flash=say(request, "Nothing was different, so nothing was changed."),
            kind="info",
        )
    return redirect(
        request, _back(str(values.get("item", item))), flash=say(request, "The line was corrected.")
    )


@router.post("/data/delete")
def remove(request: Request, desk: DeskDep, form: FormDep) -> Response:
    """Delete a line, or every purchase of its item where that was ticked and asked for."""
    item, day = form.text("item"), form.text("day")
    if form.text("what") == "item":
        if form.text("sure") != "yes":
            return _line_page(request, desk, item, day, status=422, unsure=True)
        lines = delete_item(desk.home, item)
    else:
        lines = delete(desk.home, item, day)
    if not lines:
        raise Problem(404, "There is no such line.")
    return redirect(request, "/data", flash=say(request, "Deleted for good. Lines: {n}.", n=lines))


@router.post("/data/export")
def export(request: Request, desk: DeskDep, form: FormDep) -> Response:
    """Make a copy of everything that this device has about her, and hand it over."""
    del request, form
    home, at = desk.home, int(desk.clock() * 1000)
    identifier = home.shoppers[home.shopper]
    made = datetime.fromtimestamp(at / 1000, UTC)
    name = f"{identifier}-page-{at}"
    write_export(home, home.shopper, name, at=at, held=_held(home, identifier))
    return FileResponse(
        export_path(home, name),
        media_type="application/zip",
        filename=f"my-data-{made:%Y-%m-%d}.zip",
    )


def _held(home: ClientHome, identifier: str) -> list[str]:
    if not home.journal.exists():
        return []
    with Journal(home.journal) as journal:
        return sorted(journal.holds().get(identifier, ()))


def _line_page(  # what the page shows beside the line
    request: Request,
    desk: Desk,
    item: str,
    day: str,
    *,
    status: int = 200,
    unsure: bool = False,
    typed: Mapping[str, str] | None = None,
) -> Response:
    home = desk.home
    found = _found(home, item, day)
    same = [each for each in own_lines(home, named=item) if each.item == item]
    return render(
        request,
        "line.html",
        status=status,
        line=_shown(home, found),
        same=len(same),
        back=f"/data/line?item={quote(item, safe='')}&day={quote(day, safe='')}",
        wrong=status != 200 and not unsure,
        unsure=unsure,
        typed=typed or {},
    )


def _named(home: ClientHome, text: str) -> list[Line]:
    """Her lines whose item is called so: by her purchases, or by the list as the page shows it."""
    wanted, names = text.casefold(), _names(home)
    return [
        each
        for each in own_lines(home)
        if wanted in each.item.casefold() or wanted in names(each.item).casefold()
    ]


def _found(home: ClientHome, item: str, day: str) -> Line:
    for each in own_lines(home, named=item):
        if each.item == item and _iso(each.day) == day:
            return each
    raise Problem(404, "There is no such line.")


def _changes(form: Form, now: Line) -> dict[str, Any]:
    """What a form says that the line does not; only one purchase has a quantity and a price.

    Raises:
        ValueError: a number that is none, or what was known and is left empty: a line can't forget
            it alone.
    """
    known = {"store": now.store, "quantity": now.quantity, "price": now.price}
    if any(known[name] not in ("", None) and form.emptied(name) for name in known):
        raise ValueError("A known value was left empty.")
    values: dict[str, Any] = {}
    if form.text("new_item") != now.item:
        values["item"] = form.text("new_item")
    if form.text("new_day") != _iso(now.day):
        values["day"] = form.text("new_day")
    if form.text("store") not in ("", now.store):
        values["store"] = form.text("store")
    for name in ("quantity", "price"):
        text = form.text(name) if now.purchases == 1 else ""
        if text and float(text) != known[name]:
            values[name] = float(text)
    return values


def _back(item: str) -> str:
    return f"/data?item={quote(item, safe='')}"


def _shown(home: ClientHome, line: Line) -> dict[str, Any]:
    """A line with its day as forms write it, and what the retailer's list calls its item."""
    name = _names(home)(line.item)
    return {**vars(line), "iso": _iso(line.day), "name": "" if name == line.item else name}


def _names(home: ClientHome) -> Callable[[str], str]:
    """What the retailer's list calls an item of hers; empty where it has none."""
    catalogue = home.trust.load_catalogue()

    def name(item: str) -> str:
        (place,) = catalogue.indices(np.array([item], dtype=object))
        return catalogue.items[place] if place >= 0 else ""

    return name


def _iso(day: int) -> str:
    return f"{datetime.fromtimestamp(day, UTC):%Y-%m-%d}"
