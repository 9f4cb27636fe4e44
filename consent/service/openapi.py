"""The OpenAPI document: what every operation has in common is said here, once.

Each operation says for itself who may call it (``consent.service.auth.scope``), which answers it
gives and what its fields are; examples stand with the schemas.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from consent import aliases
from consent.purpose import Category, Purpose
from consent.service.conditional import PUBLIC
from consent.service.examples import add_examples
from consent.service.idempotency import route as idempotency
from consent.service.problems import MEDIA_TYPE
from consent.service.settings import Settings

ROLES: Final = "x-fedcart-roles"
DESCRIPTION: Final = """\
Who agreed to what, and which grants stand now.

* **Errors** follow RFC 9457 (`application/problem+json`); messages never repeat what was sent.
* **What is not yours does not exist**: other shoppers' things are 404, never 403.
* **A *no* is always taken**; a *yes* needs the `ETag` of what was seen, in `If-Match`.
* **Lists** have `cursor` and `limit`, and answer with `next`: null on the last page.
* **`Idempotency-Key`** on whatever creates something: repeat the request, it is done once.
* **Quotas**: 429 with `Retry-After`. Where attempts can't be counted, nothing is tried: 503.
* **`Sec-GPC: 1`** on any request with a shopper's token is honoured.
"""
TAGS: Final[Mapping[str, str]] = {
    "service": "The service itself: whether it answers, and its keys.",
    "shoppers": "A shopper's consent matrix and the client that stands for her.",
    "minors": "Age bands, guardians and what they agree to.",
    "signals": "Global Privacy Control.",
    "accounts": "Accounts, logins and sessions.",
    "passkeys": "Logging in with a passkey.",
    "sign-in through a retailer": "Logging in through a retailer's identity provider.",
    "machines": "Tokens of machines: tills, scripts, jobs.",
    "pairing": "Tying a device to a shopper with a short code.",
    "participation": "Grants to take part in a round.",
    "standing": "Which grants stand now.",
    "commits": "The frozen lists of rounds.",
    "rounds": "Task policies, releases and diaries.",
    "funnel": "Counts of a round.",
    "notices": "The notices that decisions refer to.",
    "log": "The Merkle log: heads, consistency and a shopper's own proofs.",
    "receipts": "Signed consent receipts.",
    "value sharing": "Points, codes and the financial incentive.",
    "instructions": "Signed requests that a shopper's clients carry out.",
    "withdrawals": "What became of a withdrawal, step by step.",
    "rights": "Requests for access, erasure and the other rights.",
    "operators": "Operators' own pages of the service.",
    "audit": "What operators did.",
    "webhooks": "Telling other systems what happened.",
    "retention": "What is kept how long.",
    "inventory": "Records of processing and impact assessments.",
    "metrics": "Figures for monitoring.",
}
_ANY_OPERATION: Final = {"429": "Too Many Requests", "503": "Service Unavailable"}
_WITH_BODY: Final = {"400": "Bad Request", "413": "Content Too Large"}


def describe(app: FastAPI, settings: Settings) -> None:
    """Make the app answer with the completed document; call it once all routes are there."""
    repeatable = {(each.path, each.method.lower()) for each in idempotency.repeatable(app)}
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_document(app, settings, repeatable))
        return made

    setattr(app, "openapi", openapi)  # noqa: B010 - FastAPI's own way; mypy has no word for it


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation of a document: path, method, operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _document(app: FastAPI, settings: Settings, repeatable: set[tuple[str, str]]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        servers=[{"url": str(settings.public_url or "/")}],
    )
    used = set()
    for path, method, operation in operations(document):
        used |= set(operation.get("tags", ()))
        _common(operation)
        if (path, method) in repeatable:
            _add_key(operation)
        if path in PUBLIC and method == "get":
            operation["responses"]["304"] = {"description": "Not Modified"}
    document["tags"] = [{"name": tag, "description": TAGS[tag]} for tag in TAGS if tag in used]
    add_examples(_aliased(document["components"]["schemas"]))
    return document


def _common(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    common = _ANY_OPERATION | (_WITH_BODY if "requestBody" in operation else {})
    for status, phrase in common.items():
        answers.setdefault(
            status,
            {
                "description": phrase,
                "content": {
                    MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
                },
            },
        )
    for status, answer in answers.items():
        if status >= "400":
            content = answer.setdefault("content", {})
            schema = content.pop("application/json", {}).get("schema")
            kept = content.setdefault(MEDIA_TYPE, {})
            kept.setdefault("schema", schema or {"$ref": "#/components/schemas/ProblemDetails"})
    if not operation.get(ROLES, True):  # nobody is named: everybody may
        operation.pop("security", None)


def _add_key(operation: dict[str, Any]) -> None:
    operation.setdefault("parameters", []).append(
        {
            "name": idempotency.HEADER,
            "in": "header",
            "required": False,
            "description": "Random and new for each request; repeat it to get a lost answer again.",
            "schema": {"type": "string", "pattern": idempotency.PATTERN},
            "example": "3f1c9d7e5b2a4860",
        }
    )
    for status, phrase in (("409", "Conflict"), ("422", "Unprocessable Content")):
        refusal = operation["responses"]["429"] | {"description": phrase}
        operation["responses"].setdefault(status, refusal)


def _aliased(schemas: dict[str, Any]) -> dict[str, Any]:
    """Purposes and categories with the words that governance tools know them by."""
    for name, words in (
        (Purpose.__name__, {p.value: aliases.use_of(p) for p in Purpose}),
        (Category.__name__, {c.value: aliases.category_of(c) for c in Category}),
    ):
        if name in schemas:
            listed = ", ".join(f"`{own}` is `{key}`" for own, key in words.items())
            text = schemas[name].get("description", "")
            schemas[name]["description"] = f"{text}\n\nIn {aliases.TAXONOMY}: {listed}."
    return schemas
