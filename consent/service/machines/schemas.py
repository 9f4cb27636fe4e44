"""Answers about machines' tokens."""

from consent.service.principals import Role
from consent.service.schemas import Schema


class MachineToken(Schema):
    """A machine's token, without the token. Times are Unix milliseconds.

    ``name`` says whose it is; tokens of role store with the same name are one store's.
    """

    id: str
    role: Role
    name: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None


class MachineTokens(Schema):
    """Every machine's token, oldest first."""

    tokens: list[MachineToken]
