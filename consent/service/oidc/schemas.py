"""Answers about sign-in through a retailer."""

from consent.service.schemas import Schema


class ProviderSchema(Schema):
    """An identity provider that shoppers may sign in through, as its button names it."""

    name: str
    label: str


class ProviderList(Schema):
    """All of them, in the operator's order."""

    providers: list[ProviderSchema]


class IdentitySchema(Schema):
    """That an account can be signed in to through a provider. Times are Unix milliseconds.

    ``provider`` is None where the operator has taken the provider away.
    """

    id: str
    provider: str | None
    label: str
    created_at: int
    last_used_at: int | None


class Identities(Schema):
    """All of an account's, oldest first."""

    identities: list[IdentitySchema]
