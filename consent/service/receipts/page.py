"""A receipt as a page to read: one file, no script, nothing loaded from anywhere."""

import base64
import hashlib
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jinja2 import Environment, PackageLoader, StrictUndefined

from consent.log.head import TreeHead
from consent.log.leaf import LoggedEvent
from consent.notice import Language
from consent.receipt import NOT_STATED, Receipt, moment
from consent.service.receipts.words import CATEGORIES, PAGE, PURPOSES, STATES
from crypto.wire import b64, public_bytes

_STYLE: Final = (
    ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}"
    "body{max-width:44rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:start;vertical-align:top;padding:.3rem .8rem .3rem 0;"
    "border-bottom:1px solid #8886}"
    "dt{font-weight:600}dd{margin:0 0 .5rem;overflow-wrap:anywhere}"
    "code{overflow-wrap:anywhere}.wide{overflow-x:auto}"
)
# The one style is allowed by its hash; everything else is refused.
POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src "
    f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_TEMPLATES = Environment(
    loader=PackageLoader("consent.service.receipts"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["style"] = _STYLE


def render(receipt: Receipt, language: Language, key: Ed25519PublicKey) -> str:
    """The page of a receipt that ``key`` signed.

    Raises:
        WireError: it did not.
    """
    body, events = receipt.verified(key)
    head = TreeHead.verify(receipt.log.head, key)
    words = PAGE[language]
    leaves = ", ".join(str(leaf.index) for leaf in receipt.log.leaves)
    return _TEMPLATES.get_template("receipt.html").render(
        language=language,
        words=words,
        rows=[_row(event, language) for event in events],
        body=body,
        controller=_stated(body["party_identification"][0], words),
        places=_stated(
            {
                "jurisdiction": body["pii_processing"][0]["jurisdiction"],
                "storage": body["pii_processing"][0]["storage_locations"][1],
            },
            words,
        ),
        shown=words.get(f"language-{body['language']}", words["language-unknown"]),
        key=b64(public_bytes(key)),
        entries=words["entries"].format(leaves, head.size),
    )


def _row(event: LoggedEvent, language: Language) -> dict[str, str]:
    return {
        "purpose": PURPOSES[language][event.purpose],
        "data": CATEGORIES[language][event.category],
        "state": STATES[language][event.state],
        "at": moment(event.time),
        "until": "" if event.expires_at is None else moment(event.expires_at),
    }


def _stated(fields: dict[str, Any], words: Any) -> dict[str, str]:
    return {
        name: words[NOT_STATED] if value == NOT_STATED else value for name, value in fields.items()
    }
