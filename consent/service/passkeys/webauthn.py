"""The one place that speaks WebAuthn: options for browsers, and checking what they answer.

Demanded of every answer: our RP id and origin, no frame of another site, the challenge that we
made, user presence and user verification (a fingerprint, a face or a PIN), a valid signature.
Source: W3C Web Authentication Level 3, sections 7.1 and 7.2.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, parse_client_data_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from consent.origin import Origin
from consent.service.passkeys.schemas import NewCredential, SignedCredential
from consent.service.passkeys.tables import Passkey
from crypto.errors import ConsentError
from crypto.wire import unb64

RP_NAME: Final = "fedcart"
TIMEOUT_MS: Final = 120_000


class PasskeyRefusedError(ConsentError):
    """An answer does not hold. Why is not said: it would help only who forged it."""


@dataclass(frozen=True, kw_only=True)
class RelyingParty:
    """Whom passkeys are for: the RP id is the host of the one origin that may use them."""

    origin: Origin

    @property
    def id(self) -> str:
        """The RP id."""
        return self.origin.host


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A new passkey that was checked."""

    credential_id: str
    public_key: bytes
    sign_count: int
    backed_up: bool


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A passkey's signature that was checked, and the counter in it."""

    sign_count: int
    backed_up: bool


def creation_options(
    party: RelyingParty, *, account_id: str, name: str, challenge: bytes, known: list[Passkey]
) -> dict[str, Any]:
    """Options for ``navigator.credentials.create``. No attestation: devices need not be named."""
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=RP_NAME,
        user_id=bytes.fromhex(account_id),
        user_name=name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
    )
    return _as_json(options)


def request_options(
    party: RelyingParty, *, challenge: bytes, allowed: list[Passkey] | None = None
) -> dict[str, Any]:
    """Options for ``navigator.credentials.get``; nobody allowed: whoever has a passkey here."""
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_descriptors(allowed or []),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _as_json(options)


def challenge_in(credential: NewCredential | SignedCredential) -> str:
    """The challenge that an answer names, unchecked, as base64url text.

    Raises:
        PasskeyRefusedError: the answer can't be read, or was made inside another site's frame.
    """
    try:
        client = parse_client_data_json(
            unb64(credential.response.clientDataJSON, what="clientDataJSON")
        )
    except Exception as error:
        raise PasskeyRefusedError("A passkey's answer can't be read.") from error
    if client.cross_origin:
        raise PasskeyRefusedError("A passkey was used inside another site's frame.")
    return bytes_to_base64url(client.challenge)


def registered(party: RelyingParty, credential: NewCredential, *, challenge: bytes) -> Registered:
    """Check a new passkey.

    Raises:
        PasskeyRefusedError: it does not hold.
    """
    try:
        found = verify_registration_response(
            credential=credential.model_dump(mode="json", exclude_none=True),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=str(party.origin),
            require_user_verification=True,
        )
    except Exception as error:  # a parser of foreign bytes: whatever it raises is a refusal
        raise PasskeyRefusedError("A new passkey does not hold.") from error
    return Registered(
        credential_id=bytes_to_base64url(found.credential_id),
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        backed_up=found.credential_backed_up,
    )


def signed(
    party: RelyingParty, credential: SignedCredential, passkey: Passkey, *, challenge: bytes
) -> Signed:
    """Check a passkey's signature. Its counter is the caller's to compare.

    Raises:
        PasskeyRefusedError: it does not hold.
    """
    try:
        found = verify_authentication_response(
            credential=credential.model_dump(mode="json", exclude_none=True),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=str(party.origin),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:
        raise PasskeyRefusedError("A passkey's signature does not hold.") from error
    return Signed(sign_count=found.new_sign_count, backed_up=found.credential_backed_up)


def _descriptors(passkeys: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(id=unb64(passkey.credential_id, what="credential id"))
        for passkey in passkeys
    ]


def _as_json(options: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(options_to_json(options))
    return made
