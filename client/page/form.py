"""Forms: read, bounded, and only from the page itself."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import Depends, Request

from client.page.desk import DeskDep
from client.page.problems import Problem

CSRF_FIELD: Final = "csrf"
MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
MAX_BYTES: Final = 8 * 1024
MAX_FIELDS: Final = 30


@dataclass(frozen=True)
class Form:
    """What was sent: text without control characters."""

    fields: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """The value of a field, without blanks around it."""
        return self.fields.get(name, default).strip()


async def _body(request: Request) -> bytes:
    """The body, read before the handler runs in a thread of its own."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Problem(415, f"Forms are sent as {MEDIA_TYPE}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Problem(413, f"A form has at most {MAX_BYTES} bytes.")
    return bytes(body)


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
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise Problem(422, "This form can't be read; open the page again.") from error
    if any(not value.isprintable() for _, value in pairs):
        raise Problem(422, "A field has characters that can't be used; type it again.")
    return Form(dict(pairs))
