"""Entity tags: a change says which state it was made from, so that no update is lost.

A strong tag names one state of a resource, such as ``"17"`` for a matrix at epoch 17. A change
sends it back in ``If-Match``; without it the answer is 428, and 412 where the resource has changed
meanwhile. ``*`` means: whatever it is now.

A *no* needs no tag: a refusal or withdrawal is taken whatever the matrix says meanwhile, because
nobody may lose a withdrawal to a race. A *yes* does: it was decided before what she then saw.
"""

import re
from typing import Annotated, Final

from fastapi import Header

from consent.service.problems import Problem

ANY: Final = "*"
_TAGS: Final = re.compile(r'\s*(W/)?"([\x21\x23-\x7e]*)"\s*(?:,|$)')
_LONGEST: Final = 1024

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=_LONGEST,
        description="The ETag of the state that this change was made from, or `*` for whatever it "
        "is now.",
        examples=['"3"'],
    ),
]


def tag(version: int | str) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


def demand(if_match: str | None, version: int | str) -> None:
    """Refuse a change that was not made from the state that a resource is in.

    Raises:
        Problem: 428, no tag; 412, the resource has another state.
    """
    if if_match is None:
        raise Problem(428, "Send the ETag of what you changed in If-Match; read it first.")
    if if_match.strip() != ANY and str(version) not in _strong(if_match):
        raise Problem(412, "This was changed meanwhile; read it again, then decide.")


def matches(if_none_match: str, version: str) -> bool:
    """Whether a reader has this version already (RFC 9110, weak comparison)."""
    if if_none_match.strip() == ANY:
        return True
    return version in {value for _, value in _TAGS.findall(if_none_match)}


def _strong(header: str) -> set[str]:
    return {value for weak, value in _TAGS.findall(header) if not weak}
