"""Pages from templates, in the visitor's language; what a template may say stands here.

In templates: ``_("Sentence {name}.", name=...)``, ``_n("{n} line", "{n} lines", n)``, ``day(s)``
(Unix seconds), ``number(x)``, ``figure(x)``, ``bound(ε)``, ``task(t)``, ``tasks(ts)``,
``categories(cs)``, ``csrf()``, ``static("device.css")``. Classes are those of the panel's
``panel.css`` and of ``device.css``. Values are escaped wherever they are shown.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from client.page.desk import Desk, Flash, desk_of
from client.page.language import language_of, tongue
from client.page.words import (
    breadth_name,
    category_name,
    drawing_name,
    group_name,
    money,
    task_name,
)
from consent.panel.language import OWN_NAMES, TAGS, Tongue, mark

_OWN: Final = Path(str(files("client.page"))) / "static"
_PANEL: Final = Path(str(files("consent.panel"))) / "static"
# The panel's look, and what the page adds to it.
STATIC: Final[Mapping[str, Path]] = {
    "panel.css": _PANEL / "panel.css",
    "mark.svg": _PANEL / "mark.svg",
    "device.css": _OWN / "device.css",
}
NAVIGATION: Final = (
    ("/", mark("For you")),
    ("/left", mark("What left, what stayed")),
    ("/data", mark("My data")),
    ("/about", mark("About me")),
    ("/forget", mark("Forget me")),
)
_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("client.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page in the visitor's language."""
    said, desk = tongue(language_of(request)), desk_of(request)
    page = _ENVIRONMENT.get_template(template).render(
        **_words(said, desk),
        flash=desk.taken_flash() if status == 200 else None,
        nav=[(path, said.say(name)) for path, name in NAVIGATION]
        if status not in (403, 421)
        else (),
        here=request.url.path,
        **{"back": _address(request), **values},
    )
    return HTMLResponse(page, status_code=status, headers={"Content-Language": said.tag})


def say(request: Request, sentence: str, /, **values: object) -> str:
    """A sentence in the visitor's language."""
    return tongue(language_of(request)).say(sentence, **values)


def redirect(
    request: Request, path: str, *, flash: str | None = None, kind: str = "good"
) -> RedirectResponse:
    """Send the visitor to a page after a POST, with a message that is shown there once."""
    if flash is not None:
        desk_of(request).flash = Flash(kind, flash)
    return RedirectResponse(path, status_code=303)


@lru_cache(maxsize=len(STATIC))
def static(name: str) -> str:
    """The URL of a static file; it changes with the file."""
    version = hashlib.sha256(STATIC[name].read_bytes()).hexdigest()[:16]
    return f"/static/{name}?v={version}"


def _words(said: Tongue, desk: Desk) -> dict[str, Any]:
    return {
        "_": said.say,
        "_n": said.say_n,
        "tag": said.tag,
        "language": said.language,
        "languages": [(each, OWN_NAMES[each], TAGS[each]) for each in OWN_NAMES],
        "day": lambda seconds: said.day(int(seconds) * 1000),
        "number": said.number,
        "money": lambda paid: money(said, paid),
        "figure": said.figure,
        "bound": said.bound,
        "signed": lambda value: ("+" if value > 0 else "−") + said.figure(abs(value)),
        "percent": lambda share: f"{round(100 * share)}%".replace("-", "−"),
        "of_100": lambda share: said.number(round(100 * share, 1)),
        "drawing_name": lambda drawing: drawing_name(said, drawing),
        "breadth_name": lambda breadth: breadth_name(said, breadth),
        "group": lambda name: group_name(said, name),
        "task": lambda name: task_name(said, name),
        "tasks": lambda names: said.listing(task_name(said, each) for each in names),
        "categories": lambda names: said.listing(category_name(said, each) for each in names),
        "quoted": lambda text: quote(text, safe=""),
        "csrf": lambda: Markup('<input type="hidden" name="csrf" value="{}">').format(
            desk.session.csrf()
        ),
        "static": static,
    }


def _address(request: Request) -> str:
    """Where to come back to after another language was chosen; what only forms go to is no page."""
    if request.method == "POST":
        return "/"
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path
