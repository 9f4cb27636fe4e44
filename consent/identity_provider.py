"""The identity providers of retailers that shoppers may sign in through, as configured.

Only ``openid`` is asked for by default: the provider then says who signed in by an opaque subject,
and neither her name nor her address.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from consent.origin import checked_url
from crypto.errors import InvalidInputError
from crypto.secret_file import read_secret
from crypto.wire import get_str, get_strings

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,31}$"
_SCOPES: Final = {"openid", "profile", "email"}
_FIELDS: Final = {"name", "issuer", "client_id"}
_OPTIONAL: Final = {"label", "client_secret_file", "client_secret_env", "scopes"}
_MAX_TEXT: Final = 255


@dataclass(frozen=True, kw_only=True)
class IdentityProvider:
    """One provider, and this service as its client.

    Attributes:
        name: names it in addresses.
        issuer: pinned: its metadata and every ID token must carry exactly this.
        client_id: the service's name at the provider.
        label: what its button says.
        client_secret_file: a file that its owner alone can read.
        client_secret_env: an environment variable, instead of the file.
        scopes: what is asked for; ``openid`` is among them.
    """

    name: str
    issuer: str
    client_id: str
    label: str = ""
    client_secret_file: Path | None = None
    client_secret_env: str | None = None
    scopes: tuple[str, ...] = ("openid",)

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME, self.name):
            raise InvalidInputError(
                "An identity provider's name has 1 to 32 lower-case letters, digits and hyphens."
            )
        if checked_url(self.issuer, what="issuer").query:
            raise InvalidInputError("An issuer has no query.")
        for text in (self.client_id, self.shown):
            if not 0 < len(text) <= _MAX_TEXT or not text.isprintable():
                raise InvalidInputError(f"client_id and label have 1 to {_MAX_TEXT} characters.")
        if "openid" not in self.scopes or not _SCOPES.issuperset(self.scopes):
            raise InvalidInputError("scopes hold openid, and of others only profile and email.")
        if self.client_secret_file and self.client_secret_env:
            raise InvalidInputError("Give the client's secret in a file or a variable, not both.")

    @property
    def shown(self) -> str:
        """What its button says."""
        return self.label or self.name

    def secret(self) -> str | None:
        """The client's secret; None for a public client, which has PKCE alone.

        Raises:
            InvalidInputError: it is missing, empty, or readable by others.
        """
        if self.client_secret_file:
            found = read_secret(self.client_secret_file).decode(errors="replace").strip()
        elif self.client_secret_env:
            found = os.environ.get(self.client_secret_env, "").strip()
        else:
            return None
        if not found:
            raise InvalidInputError(f"The client secret of provider {self.name} is empty.")
        return found

    def to_json(self) -> dict[str, object]:
        """As ``settings.json`` has it; the secret itself is never in it."""
        value: dict[str, object] = {
            "name": self.name,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "scopes": list(self.scopes),
        }
        if self.label:
            value["label"] = self.label
        if self.client_secret_file:
            value["client_secret_file"] = str(self.client_secret_file)
        if self.client_secret_env:
            value["client_secret_env"] = self.client_secret_env
        return value

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            InvalidInputError: a field is missing, unknown or refused.
        """
        if not isinstance(value, dict) or value.keys() - _OPTIONAL != _FIELDS:
            raise InvalidInputError("An identity provider has missing or unknown fields.")
        path = _optional(value, "client_secret_file")
        return cls(
            name=get_str(value, "name"),
            issuer=get_str(value, "issuer"),
            client_id=get_str(value, "client_id"),
            label=_optional(value, "label") or "",
            client_secret_file=Path(path) if path else None,
            client_secret_env=_optional(value, "client_secret_env"),
            scopes=get_strings({"scopes": ["openid"], **value}, "scopes", max_count=8),
        )


def providers_from_json(value: object) -> tuple[IdentityProvider, ...]:
    """Read the list of providers; each name and each issuer occurs once.

    Raises:
        InvalidInputError: not a list, or a provider that is refused.
    """
    if not isinstance(value, list):
        raise InvalidInputError("oidc is a list of identity providers.")
    found = tuple(IdentityProvider.from_json(entry) for entry in value)
    refuse_repeats(found)
    return found


def refuse_repeats(providers: Sequence[IdentityProvider]) -> None:
    """Refuse two providers of one name or one issuer.

    Raises:
        InvalidInputError: there are two.
    """
    for field in ("name", "issuer"):
        if len({getattr(provider, field) for provider in providers}) != len(providers):
            raise InvalidInputError(f"Two identity providers have the same {field}.")


def _optional(value: dict[str, Any], field: str) -> str | None:
    return get_str(value, field, max_length=4096) if field in value else None
