"""A software authenticator, written from the WebAuthn specification and not from the service.

What it does wrong is set on it, so that a test shows that the same answer without that is accepted.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256


def text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def octets(value: str) -> bytes:
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


@dataclass
class Authenticator:
    """One authenticator with one discoverable credential, in a browser at ``origin``."""

    origin: str
    rp_id: str
    counter: int = 0
    steps: int = 1  # how far its counter goes with each signature
    verified: bool = True
    present: bool = True
    framed: bool = False
    backed_up: bool = False
    signs_as: str | None = None  # another client data type
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user: bytes = b""

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        self.user = octets(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        )
        attested = bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + cose
        data = self._data(flags=0x40) + attested
        return self._credential(
            {
                "clientDataJSON": text(self._client(options, "webauthn.create")),
                "attestationObject": text(
                    cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
                ),
                "transports": ["internal", "hybrid"],
            }
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        self.counter += self.steps
        client, data = self._client(options, "webauthn.get"), self._data()
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            {
                "clientDataJSON": text(client),
                "authenticatorData": text(data),
                "signature": text(signature),
                "userHandle": text(self.user),
            }
        )

    def _client(self, options: dict[str, Any], kind: str) -> bytes:
        return json.dumps(
            {
                "type": self.signs_as or kind,
                "challenge": options["challenge"],
                "origin": self.origin,
                "crossOrigin": self.framed,
            }
        ).encode()

    def _data(self, *, flags: int = 0) -> bytes:
        flags |= 0x01 * self.present | 0x04 * self.verified | 0x18 * self.backed_up
        head = hashlib.sha256(self.rp_id.encode()).digest()
        return head + bytes([flags]) + self.counter.to_bytes(4)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": text(self.credential_id),
            "rawId": text(self.credential_id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
