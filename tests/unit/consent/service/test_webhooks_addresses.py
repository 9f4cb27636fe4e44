"""Where webhooks may go: public hosts by name and by every address, and nothing else."""

import ipaddress
import socket

import pytest

from consent.service.webhooks.addresses import (
    RefusedAddressError,
    Rules,
    Target,
    is_public,
    parse,
    reachable,
)
from crypto.errors import InvalidInputError
from tests.unit.consent.service.webhook_calls import LOCAL, PUBLIC


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://user@example.com/",
        "https://user:pass@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com#@127.0.0.1/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://10.0.0.8/",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[fc00::1]/",
        "https://[ff0e::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b:1::7f00:1]/",
        "https://[2001:0:7f00:1::]/",
        "https://[fe80::1%25eth0]/",
        "https://localhost/",
        "https://intranet/",
        "https://example.com./",
        "https://example.com:22/",
        "https://example.com:0443/",
        "https://example.com:99999/",
        "https://example.com:/",
        "https://EXAMPLE.com/",
        "https://exämple.com/",
        "https://example.com/a b",
        "https://example.com/a\r\nHost: x",
        "https://example.com/\x00",
        "https://example..com/",
        "https://-x.example.com/",
        "https:///path",
        "https://",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://example.com/" + "a" * 600,
        "",
    ],
)
def test_hostile_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse(url, Rules())
    assert "169.254" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("https://example.com", "example.com", "/"),
        (
            "https://hooks.example.com:8443/in?a=1&b=%20",
            "hooks.example.com:8443",
            "/in?a=1&b=%20",
        ),
        ("https://xn--exmple-cua.com/x", "xn--exmple-cua.com", "/x"),
        ("https://8.8.8.8/x", "8.8.8.8", "/x"),
        ("https://[2606:4700::1111]/x", "[2606:4700::1111]", "/x"),
    ],
)
def test_public_ones_are_read(url: str, authority: str, path: str) -> None:
    target = parse(url, Rules())
    assert (target.authority, target.path) == (authority, path)


def test_settings_widen_ports_and_nothing_else() -> None:
    assert parse("https://example.com:9443/", Rules(ports=(9443,))).port == 9443
    for url in ("https://127.0.0.1:9443/", "http://example.com:9443/"):
        with pytest.raises(InvalidInputError):
            parse(url, Rules(ports=(9443,)))


def test_loopback_is_for_loopback_only() -> None:
    for url in ("http://127.0.0.1:8000/x", "http://localhost:1/", "http://[::1]:80/"):
        assert parse(url, LOCAL).scheme == "http"
    for url in ("http://example.com/", "http://10.0.0.1/", "http://127.0.0.1.example.com/"):
        with pytest.raises(InvalidInputError):
            parse(url, LOCAL)
    with pytest.raises(RefusedAddressError):
        reachable(parse("http://localhost:1/", LOCAL), LOCAL, lambda *_: ["10.0.0.1"])


@pytest.mark.parametrize(
    "found",
    [
        [],
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["8.8.8.8", "::1"],
        ["169.254.169.254"],
        ["::ffff:10.0.0.1"],
        ["2002:a00:1::1"],
        ["64:ff9b::a00:1"],
        ["fe80::1%2"],
        ["224.0.0.1"],
        ["100.64.1.1"],
        ["192.0.0.8"],
        ["fec0::1"],
        ["3fff::1"],
        ["5f00::1"],
        ["2001:db8::1"],
        ["198.18.0.1"],
        ["240.0.0.1"],
        ["not an address"],
    ],
)
def test_every_address_of_a_name_must_be_public(found: list[str]) -> None:
    with pytest.raises(RefusedAddressError):
        reachable(parse("https://example.com/", Rules()), Rules(), lambda *_: found)


def test_public_addresses_pass() -> None:
    target = parse("https://example.com/", Rules())
    found = ["8.8.8.8", "2606:4700::1111"]
    assert reachable(target, Rules(), lambda *_: found) == found


def test_a_name_that_does_not_resolve_is_refused() -> None:
    def fails(*_: object) -> list[str]:
        raise socket.gaierror

    with pytest.raises(RefusedAddressError):
        reachable(parse("https://example.com/", Rules()), Rules(), fails)


def test_is_public_knows_targets_as_addresses() -> None:
    assert is_public(ipaddress.ip_address("8.8.8.8"))
    assert not is_public(ipaddress.ip_address(PUBLIC))
    assert Target(scheme="https", host="::2", port=1, path="/").authority == "[::2]:1"
