"""Examples for the OpenAPI document: one for every schema, made up and valid.

A schema's own examples stand first. What has none gets one from here: a few that tell a story are
written out, the rest is filled in from the schema's own bounds and from what a field of that name
holds. Nothing in them is of anybody.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

_SHOPPER: Final = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
_TIME: Final = 1_800_000_000_000
_B64_KEY: Final = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
_RECORD: Final = {
    "type": "participation",
    "body": "eyJ0YXNrIjoicG9wdWxhcml0eSJ9",
    "signature": "c2lnbmF0dXJl" * 7 + "c2lnbg",
}
_CELL: Final = {"purpose": "train-shared-models", "category": "purchases"}

WRITTEN: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "Registration": {
            "consents": [{**_CELL, "decision": "given"}],
            "notice_version": "2026-11",
            "language": "en",
            "age_band": "adult",
        },
        "Decisions": {
            "decisions": [{**_CELL, "decision": "withdrawn"}],
            "notice_version": "2026-11",
            "language": "en",
        },
        "AccountRegistration": {
            "name": "amber-otter",
            "password": "a long walk by the sea",
            "shopper": {"consents": [], "notice_version": "2026-11", "age_band": "adult"},
        },
        "Credentials": {"name": "amber-otter", "password": "a long walk by the sea"},
        "SignedRecordSchema": _RECORD,
        "StandingRequest": {"token_ids": [_SHOPPER]},
        "CommitRequest": {
            "task": "popularity",
            "round": "2026-w48",
            "context": "ab" * 32,
            "uploads": [{"upload": "cd" * 32, "client": _B64_KEY, "grants": [_SHOPPER]}],
        },
        "ReleaseReport": {
            "epsilon": 0.8,
            "epsilon_spent_in_all": 1.7,
            "delta": 1e-6,
            "clients": 400,
            "shoppers": 412,
            "artefact": "ce" * 32,
        },
        "CodeRequest": {"points": 100},
        "ClientKey": {"public_key": _B64_KEY, "kind": "device"},
        "ProblemDetails": {
            "type": "about:blank",
            "title": "Conflict",
            "status": 409,
            "detail": "There are 20 points; 100 were asked for.",
        },
    }
)
_NAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "shopper": _SHOPPER,
        "ward": _SHOPPER,
        "id": _SHOPPER,
        "name": "amber-otter",
        "label": "kitchen tablet",
        "notice_version": "2026-11",
        "round": "2026-w48",
        "value": "1.00 USD",
        "url": "https://alliance.example/hooks",
        "public_key": _B64_KEY,
        "token": "p0bQ7Qk2e1B4mB6uX2s9Jd1mFz8oZp3yQm0tT5c1rVw",
        "code": "MFRG-GZDF-MZTW-Q2LK",
        "key": _B64_KEY,
        "artefact": "ce" * 32,
        "context": "ab" * 32,
        "sha256": "ab" * 32,
        "detail": "It says what is wrong and what to do next.",
        "issuer": "alliance-consent",
    }
)
_BY_PATTERN: Final[Mapping[str, str]] = MappingProxyType(
    {
        r"^[0-9a-f]{32}$": _SHOPPER,
        r"^[0-9a-f]{64}$": "ab" * 32,
        r"^[0-9a-f]+$": _SHOPPER,
        r"^[A-Za-z0-9_-]{43}$": _B64_KEY,
        r"^[A-Za-z0-9_-]{1,16384}$": "c29tZSBieXRlcw",
        r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$": "2026-w48",
        r"^[A-Z2-7]{4}-?[A-Z2-7]{4}$": "MFRG-GZDF",
        r"^[a-z-]{1,32}$": "public-key",
        r"^[A-Za-z2-7 -]{32,48}$": "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
        r"^[0-9]{1,15}-[0-9a-f]{32}$": f"1800000000-{_SHOPPER}",
    }
)
_DEEPEST: Final = 8


def add_examples(schemas: dict[str, Any]) -> None:
    """Give every schema of a document an example."""
    for name, schema in schemas.items():
        if "examples" not in schema and name in WRITTEN:
            schema["examples"] = [WRITTEN[name]]
    for name, schema in schemas.items():
        if "examples" not in schema and "enum" not in schema:
            schema["examples"] = [sample(schema, schemas, name)]


def sample(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, deep: int = 0) -> Any:
    """A value that fits a schema, as a field of this name would hold it."""
    if "$ref" in schema:
        referred = schema["$ref"].rpartition("/")[2]
        return sample(schemas[referred], schemas, name, deep)
    if schema.get("examples"):
        return schema["examples"][0]
    for fixed in ("const", "default"):
        if schema.get(fixed) is not None:
            return schema[fixed]
    if "enum" in schema:
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _of_several(schema[several], schemas, name, deep)
    make: _Maker = _MAKERS.get(schema.get("type", ""), _text)
    return make(schema, schemas, name, deep)


def _of_several(choices: list[Any], schemas: Mapping[str, Any], name: str, deep: int) -> Any:
    nothing = any(choice.get("type") == "null" for choice in choices)
    some = [choice for choice in choices if choice.get("type") != "null"]
    return None if nothing and deep >= _DEEPEST else sample(some[0], schemas, name, deep)


def _object(schema: Mapping[str, Any], schemas: Mapping[str, Any], _: str, deep: int) -> Any:
    fields = schema.get("properties", {})
    return {key: sample(field, schemas, key, deep + 1) for key, field in fields.items()}


def _array(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, deep: int) -> Any:
    if deep >= _DEEPEST or "items" not in schema:
        return []
    return [sample(schema["items"], schemas, name, deep + 1)] * max(1, schema.get("minItems", 1))


def _integer(schema: Mapping[str, Any], _: Mapping[str, Any], name: str, __: int) -> int:
    if name.endswith(("_at", "time", "since", "opens", "closes", "_until", "_before")):
        return _TIME
    low = schema.get("minimum", schema.get("exclusiveMinimum", 2) + 1)
    return int(max(low, min(3, schema.get("maximum", 3))))


def _number(schema: Mapping[str, Any], _: Mapping[str, Any], __: str, ___: int) -> float:
    return float(min(0.8, schema.get("maximum", 0.8), schema.get("exclusiveMaximum", 1) / 2))


def _text(schema: Mapping[str, Any], _: Mapping[str, Any], name: str, __: int) -> str:
    known = _BY_PATTERN.get(schema.get("pattern", "")) or _NAMED.get(name, "a short text")
    known = known.ljust(schema.get("minLength", 0), "-")
    return known[: schema.get("maxLength", len(known))]


def _boolean(_: Mapping[str, Any], __: Mapping[str, Any], ___: str, ____: int) -> bool:
    return False


_Maker = Callable[[Mapping[str, Any], Mapping[str, Any], str, int], Any]
_MAKERS: Final[Mapping[str, _Maker]] = MappingProxyType(
    {
        "object": _object,
        "array": _array,
        "integer": _integer,
        "number": _number,
        "boolean": _boolean,
    }
)
