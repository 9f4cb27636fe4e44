"""Requests and answers about passkeys.

Credentials are what a browser's ``PublicKeyCredential.toJSON()`` gives (WebAuthn Level 3).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from consent.service.schemas import Schema

_Bytes = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,16384}$")]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,32}$")]
PasskeyName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class Attestation(Schema):
    """What a new passkey's authenticator says."""

    clientDataJSON: _Bytes  # noqa: N815 - the browser's own names
    attestationObject: _Bytes  # noqa: N815
    transports: Annotated[list[_Word], Field(default_factory=list, max_length=8)]
    authenticatorData: _Bytes | None = None  # noqa: N815
    publicKey: _Bytes | None = None  # noqa: N815
    publicKeyAlgorithm: int | None = None  # noqa: N815


class Assertion(Schema):
    """What a passkey signed."""

    clientDataJSON: _Bytes  # noqa: N815
    authenticatorData: _Bytes  # noqa: N815
    signature: _Bytes
    userHandle: _Bytes | None = None  # noqa: N815


class _Credential(Schema):
    id: _Bytes
    rawId: _Bytes  # noqa: N815
    type: Literal["public-key"]
    authenticatorAttachment: _Word | None = None  # noqa: N815
    # None is asked for, none is read.
    clientExtensionResults: dict[str, Any] = Field(default_factory=dict)  # noqa: N815


class NewCredential(_Credential):
    """The answer to ``navigator.credentials.create``."""

    response: Attestation


class SignedCredential(_Credential):
    """The answer to ``navigator.credentials.get``."""

    response: Assertion


class Options(Schema):
    """What to pass to the browser as ``publicKey``, in WebAuthn's own JSON form."""

    options: dict[str, Any]


class LoginOptions(Options):
    """The same for a login. ``ceremony`` is sent back with the answer and shown to nobody else."""

    ceremony: str


class NewPasskey(Schema):
    """A passkey to add, under a name that its owner knows it by."""

    name: PasskeyName
    credential: NewCredential


class PasskeyLogin(Schema):
    """The answer to a login's options."""

    ceremony: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
    credential: SignedCredential


class PasskeyProof(Schema):
    """The answer to a step-up's options."""

    credential: SignedCredential


class PasskeyRename(Schema):
    """A passkey's new name."""

    name: PasskeyName


class PasskeySchema(Schema):
    """A passkey as its owner sees it. Times are Unix milliseconds."""

    id: str
    name: str
    backed_up: bool
    created_at: int
    last_used_at: int | None


class Passkeys(Schema):
    """All passkeys of an account, oldest first."""

    passkeys: list[PasskeySchema]
