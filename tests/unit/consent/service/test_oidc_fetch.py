"""What is read of an identity provider: answers within bounds, metadata that can be trusted."""

from typing import Any

import httpx
import pytest

from consent.service.oidc import fetch
from consent.service.oidc.fetch import ProviderError
from consent.service.oidc.providers import Metadata
from tests.integration.oidc_provider import Provider

ISSUER = "https://id.market.test"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"Location": "https://evil.test/.well-known"}),
        httpx.Response(200, content=b"{" + b" " * fetch.MAX_BYTES + b"}"),
        httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=b""),
        httpx.Response(200, content=b"[]"),
        httpx.Response(404, json={"issuer": ISSUER}),
    ],
    ids=["redirect", "large", "compressed", "no object", "missing"],
)
def test_an_answer_out_of_bounds_is_not_read(answer: httpx.Response) -> None:
    called: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        called.append(request.url.host)
        return answer

    with fetch.client(httpx.MockTransport(serve)) as http, pytest.raises(ProviderError):
        fetch.get_json(http, f"{ISSUER}/.well-known/openid-configuration")
    assert called == ["id.market.test"]


def test_an_answer_within_bounds_is_read() -> None:
    right = httpx.MockTransport(lambda request: httpx.Response(200, json={"issuer": ISSUER}))
    with fetch.client(right) as http:
        assert fetch.get_json(http, ISSUER) == {"issuer": ISSUER}


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://id.other.test"},
        {"issuer": None},
        {"token_endpoint": "http://id.market.test/token"},
        {"token_endpoint": "http://localhost/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user:password@id.market.test/jwks"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ],
    ids=str,
)
def test_metadata_that_can_not_be_trusted_is_refused(wrong: dict[str, Any]) -> None:
    right = Provider(issuer=ISSUER, keys=[]).metadata()
    assert Metadata.parse(right, ISSUER).states_issuer
    with pytest.raises(ProviderError):
        Metadata.parse(right | wrong, ISSUER)
