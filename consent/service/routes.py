"""Every operation that an application serves, as facts: for what applies to many of them alike."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import compile_path
from starlette.types import Scope


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path.

    Attributes:
        path: with its parameters in braces.
        status: what it answers on success.
        headers: the headers that it reads, in lower case.
        listed: whether the OpenAPI document has it; pages are not in it.
        extra: what it says of itself there.
    """

    path: str
    method: str
    status: int
    headers: frozenset[str]
    listed: bool
    extra: dict[str, Any]


def operations(app: FastAPI) -> list[Operation]:
    """Every operation of an application, pages included; HEAD and mounted files are left out."""
    found = []
    for each in iter_route_contexts(app.routes):
        route: Any = each
        if not isinstance(each.original_route, APIRoute):
            continue
        headers = frozenset(field.alias.lower() for field in route.dependant.header_params)
        found += [
            Operation(
                path=route.path_format,
                method=method,
                status=route.status_code or 200,
                headers=headers,
                listed=route.include_in_schema,
                extra=dict(route.openapi_extra or {}),
            )
            for method in sorted(route.methods - {"HEAD"})
        ]
    return found


def serve(app: FastAPI, *routers: APIRouter) -> None:
    """Let an application answer for the routes of these routers, as they are.

    ``include_router`` would build each of them anew for every application: a third of a second,
    which whoever opens many services (simulations, tests) waits for again and again.
    """
    for router in routers:
        app.router.routes.extend(router.routes)


class Paths:
    """Whether a request is for one of some operations."""

    def __init__(self, chosen: Iterable[Operation]) -> None:
        self._patterns: dict[str, list[re.Pattern[str]]] = {}
        for operation in chosen:
            pattern, _, _ = compile_path(operation.path)
            self._patterns.setdefault(operation.method, []).append(pattern)

    def has(self, scope: Scope) -> bool:
        """Whether a request's method and path are among them."""
        if scope["type"] != "http":
            return False
        patterns = self._patterns.get(scope["method"], [])
        return any(pattern.match(scope["path"]) for pattern in patterns)
