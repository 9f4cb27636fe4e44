"""Forms: read, bounded, and only from the page itself."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request

from client.page.desk import DeskDep
from consent.form import CSRF_FIELD, form_fields, read_form
from consent.problem import Problem

MAX_BYTES: Final = 8 * 1024
MAX_FIELDS: Final = 30


@dataclass(frozen=True)
class Form:
    """What was sent: text without control characters."""

    fields: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """The value of a field, without blanks around it."""
        return self.fields.get(name, default).strip()

    def emptied(self, name: str) -> bool:
        """Whether a field was sent with nothing in it."""
        return name in self.fields and not self.text(name)


async def _body(request: Request) -> bytes:
    """The body, read before the handler runs in a thread of its own."""
    content_type = request.headers.get("content-type", "")
    return await read_form(content_type, request.stream(), most=MAX_BYTES)


def _form(desk: DeskDep, body: Annotated[bytes, Depends(_body)]) -> Form:
    form = parse(body)
    if not hmac.compare_digest(form.text(CSRF_FIELD).encode(), desk.session.csrf().encode()):
        raise Problem(403, "This form is not from a page that you were shown; open it again.")
    return form


FormDep = Annotated[Form, Depends(_form)]


def parse(body: bytes) -> Form:
    """Read an encoded form; of a field that comes twice, the last value.

    Raises:
        Problem: 422, no such form, too many fields, or characters that no field holds.
    """
    return Form(dict(form_fields(body, most=MAX_FIELDS)))
