"""The base of every page of the panel.

A page is a module in ``consent/panel/pages`` with a router, and a template that extends
``base.html``::

    router = APIRouter(include_in_schema=False)

    @router.get("/things")
    def things(request: Request, visitor: ShopperDep) -> Response:
        found = service.read_all(visitor.context, visitor.shopper, visitor.token)
        return render(request, visitor, "things.html", things=found)

    @router.post("/things")
    def change(request: Request, visitor: ShopperDep, form: FormDep) -> Response:
        service.change(visitor.context, visitor.shopper, visitor.token, form.text("name"))
        return redirect(request, visitor, "/things", flash=visitor.say("It was changed."))

Who may see it: ``VisitorDep`` (anybody), ``SignedInDep`` (303 to ``/login?next=...`` otherwise),
``ShopperDep`` (a shopper; 404 for other roles; ``visitor.shopper`` is her id), ``OperatorDep``
(operator or auditor; 404 for shoppers). ``visitor.token`` is the token of her login, for the
slices' service functions: they check it as they do for the API.

``FormDep``: every POST takes it. It refuses what is not from the panel's own page (``form.text``,
``form.all``, ``form.number``). A template's form starts with ``{{ csrf() }}``.

``redirect(request, visitor, path, flash=..., kind="good" | "info" | "bad")``: 303 after each POST;
the flash is shown once, at the top of the next page.

``Refused(status, visitor.say("..."))``: an error page with a sentence for her. Any other
``Problem`` of a service function gives an error page with a general sentence of its status;
a step-up problem (``principals.proved``) leads to ``/confirm?next=PAGE``.

``signed_in(request, response, visitor, token, expires_at)`` and ``signed_out(request, response)``
set and clear the session's cookie; ``local_path(text)`` makes a safe path of a ``next`` field.

In templates: ``_("Sentence {name}.", name=...)``, ``_n("{n} point", "{n} points", n)``,
``moment(ms)``, ``day(ms)``, ``date(iso)``, ``number(x)``, ``figure(x)``, ``bound(ε)``; names in her
language: ``purpose(p)``, ``category(c)``, ``state(s)``, ``task(t)``, ``use(p, c)``, and as a list
within a sentence ``purposes(ps)``, ``categories(cs)``, ``tasks(ts)``; ``csrf()``,
``static("panel.css")``, ``visitor``. In Python: ``visitor.say``, ``visitor.say_n``, and
``mark("...")`` around sentences that wait in a table.
Blocks of ``base.html``: ``title``, ``head`` (an area's own stylesheet), ``main``.
``panel.css`` lists its classes at its top.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from consent.origin import local_path
from consent.panel.form import CSRF_FIELD, Form, FormDep
from consent.panel.language import OWN_NAMES, TAGS, mark
from consent.panel.policy import TASKS
from consent.panel.visitor import (
    VISIT,
    Elsewhere,
    OperatorDep,
    ShopperDep,
    SignedIn,
    SignedInDep,
    Visitor,
    VisitorDep,
    keyed,
    own_name,
    set_cookie,
    signed_in,
    signed_out,
)
from consent.purpose import Category, Purpose
from consent.service.principals import Role
from consent.service.problems import Problem
from consent.service.receipts.words import CATEGORIES, PURPOSES, STATES
from consent.tasks.names import TaskName

__all__ = [
    "Elsewhere",
    "Form",
    "FormDep",
    "OperatorDep",
    "Refused",
    "ShopperDep",
    "SignedIn",
    "SignedInDep",
    "Visitor",
    "VisitorDep",
    "local_path",
    "mark",
    "redirect",
    "render",
    "signed_in",
    "signed_out",
]

STATIC: Final = Path(__file__).parent / "static"
FLASH: Final = "fedcart_flash"
_FLASH_S: Final = 60
_VISIT_S: Final = 24 * 60 * 60
Kind = Literal["good", "info", "bad"]
_OPERATORS: Final = (
    ("/operators", mark("Overview")),
    ("/operators/requests", mark("Requests")),
    ("/operators/webhooks", mark("Webhooks")),
    ("/operators/retention", mark("Retention")),
    ("/operators/audit", mark("Audit trail")),
    ("/policies", mark("What the machine runs")),
)
# What each role finds in the header.
NAVIGATION: Final[Mapping[Role | None, Sequence[tuple[str, str]]]] = {
    Role.SHOPPER: (
        ("/", mark("Overview")),
        ("/choices", mark("My choices")),
        ("/diary", mark("Diary")),
        ("/points", mark("Points")),
        ("/history", mark("History")),
        ("/rights", mark("My rights")),
        ("/policies", mark("What the machine runs")),
    ),
    Role.OPERATOR: _OPERATORS,
    Role.AUDITOR: _OPERATORS,
}
_ENVIRONMENT = Environment(
    loader=PackageLoader("consent.panel"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Refused(Problem):
    """An error page that says a sentence of its own, which is in the visitor's language."""


class Flash(NamedTuple):
    """A message for the next page; ``kind`` is good, info or bad."""

    kind: str
    text: str


def render(
    request: Request, visitor: Visitor, template: str, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page in the visitor's language. Values are escaped wherever a template shows them."""
    flash = _taken(request, visitor)
    nav = [(path, visitor.say(name)) for path, name in NAVIGATION.get(visitor.role, ())]
    page = _ENVIRONMENT.get_template(template).render(
        **_words(visitor), flash=flash, nav=nav, here=request.url.path, visitor=visitor, **values
    )
    response = HTMLResponse(
        page, status_code=status, headers={"Content-Language": visitor.tongue.tag}
    )
    if flash is not None:
        set_cookie(request, response, FLASH, "", 0)
    if not isinstance(visitor, SignedIn):
        set_cookie(request, response, own_name(request, VISIT), visitor.visit, _VISIT_S)
    return response


def redirect(
    request: Request,
    visitor: Visitor,
    path: str,
    *,
    flash: str | None = None,
    kind: Kind = "good",
    whole_page: bool = False,
) -> Response:
    """Send the visitor to a page after a POST, with a message that is shown there once.

    Args:
        request: the POST that is answered.
        visitor: who sent it.
        path: a path on this site; an anchor is allowed.
        flash: the message, in her language; shown as text, never as markup.
        kind: how it went.
        whole_page: show all of that page also to a script that asked for a part.
    """
    response: Response
    if whole_page and visitor.fetched:
        response = Response(status_code=200, headers={"HX-Redirect": local_path(path)})
    else:
        response = RedirectResponse(local_path(path), status_code=303)
    if flash is not None:
        set_cookie(request, response, FLASH, _sealed(visitor, Flash(kind, str(flash))), _FLASH_S)
    return response


def step_up(request: Request) -> Response:
    """Send the visitor to show once more who she is, and from there back to the page she was on."""
    back = request.headers.get("referer", "").partition(request.headers.get("host", " "))[2]
    path = request.url.path if request.method == "GET" else local_path(back)
    return RedirectResponse(f"/confirm?next={quote(path, safe='')}", status_code=303)


@lru_cache(maxsize=64)
def static(name: str) -> str:
    """The URL of a static file; it changes with the file, so browsers may keep it for ever."""
    version = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:16]
    return f"/static/{name}?v={version}"


def _words(visitor: Visitor) -> dict[str, Any]:
    tongue, language = visitor.tongue, visitor.language
    purpose, category = PURPOSES[language].__getitem__, CATEGORIES[language].__getitem__

    def task(name: TaskName) -> str:
        return tongue.say(TASKS[name])

    def use(of: Purpose, data: Category) -> str:
        return tongue.say("{purpose} (data: {data})", purpose=purpose(of), data=category(data))

    return {
        "_": tongue.say,
        "_n": tongue.say_n,
        "moment": tongue.moment,
        "day": tongue.day,
        "date": tongue.date,
        "number": tongue.number,
        "figure": tongue.figure,
        "bound": tongue.bound,
        "purpose": purpose,
        "category": category,
        "state": STATES[language].__getitem__,
        "task": task,
        "use": use,
        "purposes": lambda each: tongue.listing(map(purpose, each)),
        "categories": lambda each: tongue.listing(map(category, each)),
        "tasks": lambda each: tongue.listing(map(task, each)),
        "csrf": partial(_csrf_field, visitor),
        "static": static,
        "languages": [(each, OWN_NAMES[each], TAGS[each]) for each in OWN_NAMES],
    }


def _csrf_field(visitor: Visitor) -> Markup:
    field = Markup('<input type="hidden" name="{}" value="{}">')
    return field.format(CSRF_FIELD, visitor.csrf)


def _sealed(visitor: Visitor, flash: Flash) -> str:
    text = base64.urlsafe_b64encode(json.dumps(flash).encode()).decode()
    return f"{text}.{_seal(visitor, text)}"


def _seal(visitor: Visitor, text: str) -> str:
    """Only this service writes messages: a page never shows somebody else's words as ours."""
    return keyed(visitor.context, "flash", text)


def _taken(request: Request, visitor: Visitor) -> Flash | None:
    text, _, seal = request.cookies.get(FLASH, "").partition(".")
    if not text or not hmac.compare_digest(seal.encode(), _seal(visitor, text).encode()):
        return None
    try:
        kind, message = json.loads(base64.urlsafe_b64decode(text))
    except (ValueError, binascii.Error):
        return None
    return Flash(str(kind), str(message))
