"""Forms as browsers send them: read within bounds, and taken apart.

Who a form is from is for the page to say that takes it: each has a token of its own
(``CSRF_FIELD``).
"""

from collections.abc import AsyncIterable
from typing import Final
from urllib.parse import parse_qsl

from consent.problem import Problem

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
CSRF_FIELD: Final = "csrf"
LINE_BREAKS: Final = "\r\n\t"


async def read_form(content_type: str, chunks: AsyncIterable[bytes], *, most: int) -> bytes:
    """The body of a form, at most so many bytes.

    Raises:
        Problem: 415, its Content-Type is no form's; 413, it is longer.
    """
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise Problem(415, f"Forms are sent as {MEDIA_TYPE}.")
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            raise Problem(413, f"A form has at most {most} bytes.")
    return bytes(body)


def form_fields(body: bytes, *, most: int, beside: str = "") -> list[tuple[str, str]]:
    """The fields of an encoded form, in its order.

    Args:
        body: as it was sent.
        most: how many fields it may have.
        beside: characters that values may have beside printable ones, such as ``LINE_BREAKS``.

    Raises:
        Problem: 422, no such form, too many fields, or characters that no value may have.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=most,
        )
    except ValueError as error:
        raise Problem(422, "This form can't be read; open the page again.") from error
    for _, value in pairs:
        if any(not char.isprintable() and char not in beside for char in value):
            raise Problem(422, "A field has characters that can't be used; type it again.")
    return pairs
