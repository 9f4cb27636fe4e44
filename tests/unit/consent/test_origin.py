import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.origin import MAX_PATH, Origin, checked_url, local_path, site_origin
from crypto.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "shown", "host"),
    [
        ("https://consent.example", "https://consent.example", "consent.example"),
        ("https://Consent.Example/", "https://consent.example", "consent.example"),
        ("https://consent.example:443", "https://consent.example", "consent.example"),
        ("https://consent.example:8443", "https://consent.example:8443", "consent.example"),
        ("http://localhost:8640", "http://localhost:8640", "localhost"),
        ("http://[::1]:8640", "http://[::1]:8640", "::1"),
    ],
)
def test_an_origin_is_read_as_browsers_write_it(text: str, shown: str, host: str) -> None:
    origin = Origin.parse(text)
    assert str(origin) == shown
    assert origin.host == host
    assert Origin.parse(str(origin)) == origin


@pytest.mark.parametrize(
    "text",
    [
        "http://consent.example",
        "https://consent.example/path",
        "https://consent.example?query",
        "https://consent.example#part",
        "https://user@consent.example",
        "https://user:password@consent.example",
        "https://consent.example:99999",
        "https://",
        "https:///path",
        "consent.example",
        "javascript:alert(1)",
        "https://consent.example\t.evil.test",
        "https://consent.example\\@evil.test",
        "https://例.example",
        "",
    ],
)
def test_what_is_no_origin_or_can_not_be_trusted_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        Origin.parse(text)


@pytest.mark.parametrize(
    ("header", "origin"),
    [
        ("localhost:8640", "http://localhost:8640"),
        ("127.0.0.1:8640", "http://127.0.0.1:8640"),
        ("consent.example", "None"),
        ("localhost:8640@evil.test", "None"),
        ("localhost/path", "None"),
        ("", "None"),
    ],
)
def test_a_host_header_counts_only_where_it_names_this_machine(header: str, origin: str) -> None:
    assert str(site_origin(None, header)) == origin
    configured = Origin.parse("https://consent.example")
    assert site_origin(configured, header) == configured


@pytest.mark.parametrize(
    "path", ["/", "/choices", "/choices?open=a#b", "/a//b", "/?next=https://x"]
)
def test_local_paths_are_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "choices",
        "//evil.test",
        "https://evil.test",
        "/\\evil.test",
        "/\t/evil.test",
        "\n//evil.test",
        " /choices",
        "/" + "a" * MAX_PATH,
        "/％2f",
    ],
)
def test_paths_that_may_leave_the_site_are_replaced(path: str | None) -> None:
    assert local_path(path, otherwise="/here") == "/here"


@given(st.text(max_size=40))
def test_every_path_stays_on_the_site(text: str) -> None:
    path = local_path(text)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))


def test_a_url_may_have_a_path_and_a_query() -> None:
    assert checked_url("https://id.example/a?b=c", what="url").path == "/a"
