"""Problem details: one form, and nothing of the caller's in it."""

from consent.problem import ProblemDetails, answers, headers_of, places


def test_details_are_titled_by_their_status_and_leave_out_what_is_not_there() -> None:
    assert ProblemDetails.of(404, "There is none.").to_json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is none.",
    }
    found = ProblemDetails.of(422, "No.", kind="urn:x", errors=["query.n: too low"]).to_json()
    assert (found["type"], found["errors"]) == ("urn:x", ["query.n: too low"])


def test_a_place_never_says_a_field_that_only_the_caller_knows() -> None:
    wrong = [
        {"type": "missing", "loc": ("query", "item"), "msg": "Field required"},
        {"type": "extra_forbidden", "loc": ("body", "secret"), "msg": "Extra inputs"},
    ]
    assert places(wrong) == ["query.item: Field required", "body: Extra inputs"]
    assert len(places(wrong * 50)) == 20


def test_only_a_401_names_a_scheme() -> None:
    assert headers_of(401) == {"WWW-Authenticate": "Bearer"}
    assert headers_of(403) == {}


def test_answers_are_announced_with_their_media_type() -> None:
    found = answers(404)[404]
    assert found["description"] == "Not Found"
    assert "application/problem+json" in found["content"]
