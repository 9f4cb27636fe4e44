"""Forms of the panel: read, bounded, and only from the panel's own pages."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request

from consent.form import CSRF_FIELD, LINE_BREAKS, form_fields, read_form
from consent.panel.visitor import Visitor, VisitorDep
from consent.problem import Problem

__all__ = ["CSRF_FIELD", "Form", "FormDep"]
MAX_BYTES: Final = 64 * 1024
MAX_FIELDS: Final = 500


class ForeignFormError(Problem):
    """The form did not come from a page that this visitor was shown."""

    def __init__(self) -> None:
        super().__init__(403, "This form is not from a page that you were shown; open it again.")


@dataclass(frozen=True)
class Form:
    """What a visitor sent. Fields hold text without control characters except line breaks."""

    fields: Mapping[str, tuple[str, ...]]

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field."""
        return self.fields.get(name, (default,))[-1]

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field: ticked boxes."""
        return self.fields.get(name, ())

    def number(self, name: str, *, low: int, high: int) -> int | None:
        """A whole number within bounds; None for anything else."""
        text = self.text(name).strip()
        if not (text.isascii() and text.isdecimal()) or len(text) > 18:
            return None
        return int(text) if low <= int(text) <= high else None


async def _body(request: Request) -> bytes:
    """The body, read before the handler runs in its own thread."""
    content_type = request.headers.get("content-type", "")
    return await read_form(content_type, request.stream(), most=MAX_BYTES)


def _form(request: Request, visitor: VisitorDep, body: Annotated[bytes, Depends(_body)]) -> Form:
    """The form of a request, once it is known to be from the panel's own page."""
    check_origin(request, visitor)
    form = parse(body)
    if not hmac.compare_digest(form.text(CSRF_FIELD).encode(), visitor.csrf.encode()):
        raise ForeignFormError
    return form


FormDep = Annotated[Form, Depends(_form)]


def parse(body: bytes) -> Form:
    """Read an encoded form.

    Raises:
        Problem: 422, no such form, too many fields, or characters that no field holds.
    """
    fields: dict[str, list[str]] = {}
    for name, value in form_fields(body, most=MAX_FIELDS, beside=LINE_BREAKS):
        fields.setdefault(name, []).append(value)
    return Form({name: tuple(values) for name, values in fields.items()})


def check_origin(request: Request, visitor: Visitor) -> None:
    """Refuse a form that a browser says came from elsewhere.

    ``Sec-Fetch-Site`` decides where a browser sends it, else ``Origin``. A request with neither is
    no browser's; the form's token still has to match.

    Raises:
        ForeignFormError: from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise ForeignFormError
        return
    origin = request.headers.get("origin")
    if origin is None:
        return
    stated = str(getattr(visitor.context.settings, "public_url", "") or "")
    own = {request.headers.get("host", ""), urlsplit(stated).netloc} - {""}
    if urlsplit(origin).netloc not in own:
        raise ForeignFormError
