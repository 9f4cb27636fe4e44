"""The secrets of webhook endpoints, and the signatures that they make.

A secret is derived of the service's signing key, the endpoint's id and a number, so the database
holds nothing with which somebody who reads it could sign. Rotating takes the next number; the one
before signs too for a while, so that a receiver can change over without losing a message.
Source: Standard Webhooks 1 (HMAC-SHA256 over ``id.timestamp.body``).
"""

import base64
from datetime import UTC, datetime

from standardwebhooks import Webhook

from consent.service.context import Context
from consent.service.tokens import token_hash
from consent.service.webhooks.tables import WebhookEndpoint


class LostSecretError(Exception):
    """The service's key was replaced since the secret was made: rotate the secret."""


def secret(context: Context, endpoint_id: str, number: int) -> str:
    """The secret of an endpoint, as its receiver keeps it."""
    raw = context.derived_key(f"webhook secret {endpoint_id} {number}")
    return f"whsec_{base64.b64encode(raw).decode()}"


def headers(
    context: Context, endpoint: WebhookEndpoint, message_id: str, body: str
) -> dict[str, str]:
    """The headers of one attempt, signed by every secret that counts now.

    Raises:
        LostSecretError: the secret can't be derived any more.
    """
    current = secret(context, endpoint.id, endpoint.secret_number)
    if token_hash(current) != endpoint.secret_hash:
        raise LostSecretError
    secrets = [current]
    if context.now_ms() < endpoint.overlap_until:
        secrets.append(secret(context, endpoint.id, endpoint.secret_number - 1))
    now = datetime.fromtimestamp(int(context.now()), tz=UTC)
    signed = [Webhook(each).sign(message_id, now, body) for each in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "fedcart-consent",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }
