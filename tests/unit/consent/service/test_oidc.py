"""Sign-in through a retailer, against a provider in this process that is told what to do wrong."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text

from consent.identity_provider import IdentityProvider
from consent.origin import Origin
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.service import erase
from consent.service.inprocess import InProcessTransport
from consent.service.oidc import service
from consent.service.oidc.providers import AFTER_FAILURE_S, AGAIN_S
from consent.service.oidc.service import Answer, Finished, Purpose
from consent.service.principals import STEP_UP, Role
from consent.service.problems import Problem
from tests.conftest import NewDatabase
from tests.integration.oidc_provider import Provider, create_provider
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.authenticator import Authenticator
from tests.unit.consent.service.logins import age_proof, bearer, log_in

ORIGIN = Origin.parse("https://consent.test")
ISSUER = "https://id.market.test"
MARKET = IdentityProvider(
    name="market", issuer=ISSUER, client_id="fedcart", client_secret_env="MARKET_SECRET"
)
OTHER = IdentityProvider(name="other", issuer="https://id.other.test", client_id="fedcart")
IDENTITIES = "/v1/account/identities"


@dataclass
class Town:
    """A service, a provider, and what a browser does between them."""

    stage: Stage
    provider: Provider
    http: httpx.Client

    def begin(self, purpose: Purpose = Purpose.LOGIN, **how: Any) -> service.Begun:
        return service.begin(self.stage.context, "market", ORIGIN, purpose=purpose, **how)

    def visit(self, begun: service.Begun, user: str = "ada", token: str | None = None) -> Answer:
        """Log in at the provider and come back with its answer."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.url).query).items()}
        self.http.cookies.clear()
        page = self.http.get(begun.url)
        assert page.status_code == 200, page.text
        form = asked | {"user": user, "password": f"pw-{user}"}
        back = self.http.post(f"{ISSUER}/login", data=form)
        assert back.status_code == 303, back.text
        url = urlsplit(back.headers["location"])
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{ORIGIN}/login/oidc/market/callback"
        said = {name: values[0] for name, values in parse_qs(url.query).items()}
        return Answer(
            provider="market",
            state=said["state"],
            code=said["code"],
            issuer=said.get("iss"),
            binding=begun.binding,
            token=token,
        )

    def finish(self, answer: Answer) -> Finished:
        return service.finish(self.stage.context, answer, ORIGIN, label="test")

    def sign_in(self, user: str = "ada") -> Finished:
        return self.finish(self.visit(self.begin(), user))

    def token(self, user: str = "ada") -> str:
        opened = self.sign_in(user).opened
        assert opened is not None
        return opened.token

    def link(self, token: str, user: str = "ada") -> Finished:
        return self.finish(self.visit(self.begin(Purpose.LINK, token=token), user, token))

    def step_up(self, token: str, user: str = "ada") -> Finished:
        return self.finish(self.visit(self.begin(Purpose.STEP_UP, token=token), user, token))

    def alive(self, token: str) -> bool:
        return self.stage.http.get(IDENTITIES, headers=bearer(token)).status_code == 200


def town_at(home: Path, monkeypatch: pytest.MonkeyPatch, database: NewDatabase | None) -> Town:
    monkeypatch.setenv("MARKET_SECRET", "a client's secret")
    stage = Stage(home, database=database, public_url=ORIGIN, oidc=(MARKET, OTHER))
    provider = Provider(issuer=ISSUER, clock=stage.clock)
    transport = InProcessTransport(create_provider(provider))
    stage.context.providers.transport = transport
    return Town(stage, provider, httpx.Client(transport=transport))


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    made = town_at(tmp_path / "town", monkeypatch, None)
    yield made
    made.stage.close()
    made.http.close()


@pytest.fixture
def town_on_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_database: NewDatabase
) -> Iterator[Town]:
    made = town_at(tmp_path / "town", monkeypatch, new_database)
    yield made
    made.stage.close()
    made.http.close()


def refused(status: int, call: Callable[[], object]) -> Problem:
    with pytest.raises(Problem) as caught:
        call()
    assert caught.value.status == status, caught.value
    return caught.value


def test_a_first_sign_in_makes_a_shopper_with_nothing_decided(town_on_both: Town) -> None:
    town = town_on_both
    first = town.sign_in()
    assert first.is_new
    assert first.opened is not None
    assert first.opened.role is Role.SHOPPER
    path = f"/v1/shoppers/{first.opened.shopper}/consents"
    consents = town.stage.http.get(path, headers=bearer(first.opened.token)).json()["consents"]
    assert {entry["state"] for entry in consents} == {"unknown"}
    again = town.sign_in()
    assert not again.is_new
    assert again.opened is not None
    assert again.opened.shopper == first.opened.shopper
    other = town.sign_in("eve").opened
    assert other is not None
    assert other.shopper != first.opened.shopper


def test_no_more_than_the_subject_is_asked_for(town: Town) -> None:
    town.sign_in()
    (asked,) = town.provider.asked
    assert asked["scope"] == "openid"
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) == len(asked["nonce"]) == 43


def test_the_database_names_neither_the_subject_nor_an_open_attempts_secrets(town: Town) -> None:
    town.sign_in()
    begun = town.begin()
    with town.stage.context.database.reading() as session:
        rows = [
            str(row)
            for table in ("federated_identity", "oidc_attempt")
            for row in session.execute(text(f"SELECT * FROM {table}"))
        ]
    assert len(rows) == 2
    state = parse_qs(urlsplit(begun.url).query)["state"][0]
    for secret in ("pairwise-ada", begun.binding, state):
        assert not any(secret in row for row in rows)


@pytest.mark.parametrize(
    "claims",
    [
        {"role": "operator", "roles": ["operator", "auditor"], "admin": True},
        {"scope": "operator", "groups": ["admin"], "fedcart_role": "coordinator"},
        {"shopper": "somebody else's", "account": "grace"},
    ],
)
def test_no_claim_gives_more_than_a_shopper(town: Town, claims: dict[str, Any]) -> None:
    town.provider.extra = claims
    opened = town.sign_in().opened
    assert opened is not None
    assert opened.role is Role.SHOPPER
    operators = town.stage.http.get("/v1/requests", headers=bearer(opened.token))
    assert operators.status_code == 404


def test_an_account_that_became_an_operators_is_not_signed_in_to(town: Town) -> None:
    town.sign_in()
    with town.stage.context.database.writing() as session:
        session.execute(text("UPDATE account SET role = 'operator'"))
    refused(403, town.sign_in)


def test_an_operators_account_is_not_linked(town: Town) -> None:
    token = log_in(town.stage, "grace", role=Role.OPERATOR)
    refused(404, lambda: town.begin(Purpose.LINK, token=token))


def test_an_answer_is_taken_once(town_on_both: Town) -> None:
    town = town_on_both
    answer = town.visit(town.begin())
    town.finish(answer)
    refused(403, lambda: town.finish(answer))


def test_a_code_is_not_redeemed_in_another_sign_in(town: Town) -> None:
    stolen, own = town.visit(town.begin(), "ada"), town.visit(town.begin(), "eve")
    refused(403, lambda: town.finish(replace(own, code=stolen.code)))  # PKCE: not her verifier
    assert town.sign_in().opened is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "another"},
        {"binding": "another browser's"},
        {"binding": ""},
        {"code": ""},
        {"code": "x" * 2049},
        {"provider": "other"},
    ],
    ids=str,
)
def test_an_answer_of_another_browser_or_attempt_is_refused(
    town: Town, wrong: dict[str, Any]
) -> None:
    answer = town.visit(town.begin())
    refused(403, lambda: town.finish(replace(answer, **wrong)))
    assert town.sign_in().opened is not None


@pytest.mark.parametrize("issuer", ["https://id.other.test", f"{ISSUER}/", None])
def test_an_answer_that_another_provider_gave_is_refused(town: Town, issuer: str | None) -> None:
    answer = town.visit(town.begin())
    refused(403, lambda: town.finish(replace(answer, issuer=issuer)))
    assert town.sign_in().opened is not None


def test_a_provider_that_never_states_itself_is_believed(town: Town) -> None:
    town.provider.states_issuer = False
    assert town.sign_in().opened is not None


def test_an_attempt_lasts_ten_minutes(town: Town) -> None:
    answer, late = town.visit(town.begin()), town.visit(town.begin())
    town.stage.clock.now += 599
    assert town.finish(answer).opened is not None
    town.stage.clock.now += 1
    refused(403, lambda: town.finish(late))


@pytest.mark.parametrize(
    "spoiled",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"iss": "https://id.other.test"},
        {"exp": 1},
    ],
    ids=str,
)
def test_an_id_token_that_does_not_hold_signs_nobody_in(
    town: Town, spoiled: dict[str, Any]
) -> None:
    town.provider.spoil = lambda claims: claims.update(spoiled)
    refused(403, town.sign_in)
    town.provider.spoil = lambda claims: None
    assert town.sign_in().opened is not None


def test_new_keys_are_fetched_but_not_for_every_unknown_one(town: Town) -> None:
    town.sign_in()
    assert town.provider.key_fetches == 1
    town.provider.rotate()
    refused(403, town.sign_in)  # they were fetched a moment ago
    refused(403, town.sign_in)
    assert town.provider.key_fetches == 1
    town.stage.clock.now += AGAIN_S
    assert town.sign_in().opened is not None
    assert town.provider.key_fetches == 2


def test_linking_needs_a_login_that_was_proved_lately(town: Town) -> None:
    token = log_in(town.stage, "ada")
    age_proof(town.stage)
    assert refused(403, lambda: town.begin(Purpose.LINK, token=token)).kind == STEP_UP
    refused(401, lambda: town.begin(Purpose.LINK))
    refused(401, lambda: town.begin(Purpose.LINK, token="nobody's"))


def test_a_linked_sign_in_opens_the_account_it_was_linked_to(town_on_both: Town) -> None:
    town = town_on_both
    token = log_in(town.stage, "ada")
    town.link(token)
    opened = town.sign_in().opened
    assert opened is not None
    listed = town.stage.http.get(IDENTITIES, headers=bearer(token)).json()["identities"]
    assert [entry["provider"] for entry in listed] == ["market"]
    seen = town.stage.http.get("/v1/account", headers=bearer(opened.token)).json()
    assert seen["name"] == "ada"


def test_a_link_is_made_only_in_the_login_that_asked_for_it(town: Town) -> None:
    ada, eve = log_in(town.stage, "ada"), log_in(town.stage, "eve")
    for token in (eve, None):
        answer = town.visit(town.begin(Purpose.LINK, token=ada), "ada", token)
        refused(403, lambda answer=answer: town.finish(answer))  # type: ignore[misc]
    assert town.sign_in().is_new


def test_an_identity_belongs_to_one_account_and_an_account_has_one_of_a_provider(
    town: Town,
) -> None:
    ada, eve = log_in(town.stage, "ada"), log_in(town.stage, "eve")
    town.link(ada, "ada")
    refused(409, lambda: town.link(eve, "ada"))
    refused(409, lambda: town.link(ada, "eve"))


def test_a_step_up_is_a_fresh_login_of_the_same_person(town: Town) -> None:
    token = log_in(town.stage, "ada")
    refused(409, lambda: town.begin(Purpose.STEP_UP, token=token))
    town.link(token, "ada")
    age_proof(town.stage)
    refused(403, lambda: town.step_up(token, "eve"))
    assert refused(403, lambda: town.begin(Purpose.LINK, token=token)).kind == STEP_UP
    town.step_up(token, "ada")
    asked = town.provider.asked[-1]
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    town.begin(Purpose.LINK, token=token)


def test_a_step_up_that_the_provider_answers_from_memory_proves_nothing(town: Town) -> None:
    token = log_in(town.stage, "ada")
    town.link(token)
    age_proof(town.stage)
    earlier = int(town.stage.clock()) - 120
    town.provider.spoil = lambda claims: claims.update(auth_time=earlier)
    refused(403, lambda: town.step_up(token))
    town.provider.spoil = lambda claims: claims.pop("auth_time")
    refused(403, lambda: town.step_up(token))
    assert refused(403, lambda: town.begin(Purpose.LINK, token=token)).kind == STEP_UP


def test_unlinking_ends_the_logins_it_opened_and_no_others(town_on_both: Town) -> None:
    town = town_on_both
    token = log_in(town.stage, "ada")
    town.link(token)
    through = town.token()
    (identity,) = town.stage.http.get(IDENTITIES, headers=bearer(token)).json()["identities"]
    path = f"{IDENTITIES}/{identity['id']}"
    eve = log_in(town.stage, "eve")
    assert town.stage.http.delete(path, headers=bearer(eve)).status_code == 404
    age_proof(town.stage)
    assert town.stage.http.delete(path, headers=bearer(token)).json()["type"] == STEP_UP
    town.step_up(token)
    assert town.alive(through)
    assert town.stage.http.delete(path, headers=bearer(token)).status_code == 204
    assert not town.alive(through)
    assert town.alive(token)
    assert town.sign_in().is_new


def test_the_only_sign_in_of_an_account_stays_until_there_is_another(town: Town) -> None:
    token = town.token()
    (identity,) = town.stage.http.get(IDENTITIES, headers=bearer(token)).json()["identities"]
    path = f"{IDENTITIES}/{identity['id']}"
    assert town.stage.http.delete(path, headers=bearer(token)).status_code == 409
    phone = Authenticator(origin=str(ORIGIN), rp_id="consent.test")
    passkeys = "/v1/account/passkeys"
    options = town.stage.http.post(f"{passkeys}/options", headers=bearer(token)).json()["options"]
    body = {"name": "Phone", "credential": phone.create(options)}
    town.stage.http.post(passkeys, json=body, headers=bearer(token))
    assert town.stage.http.delete(path, headers=bearer(token)).status_code == 204


def test_an_erased_account_leaves_no_identity(town: Town) -> None:
    opened = town.sign_in().opened
    assert opened is not None
    assert opened.shopper is not None
    with town.stage.context.database.writing() as session:
        erase(town.stage.context, session, opened.shopper)
    assert town.sign_in().is_new


def test_a_closed_account_is_not_signed_in_to(town: Town) -> None:
    opened = town.sign_in().opened
    assert opened is not None
    assert opened.shopper is not None
    with town.stage.context.database.writing() as session:
        accounts = AccountRepository(session)
        account = accounts.of_shopper(opened.shopper)
        assert account is not None
        account.closed_at = town.stage.context.now_ms()
        accounts.save(account)
    refused(401, town.sign_in)


@pytest.mark.parametrize("path", ["//evil.test", "https://evil.test", "/\\evil.test", "evil", ""])
def test_a_sign_in_goes_on_to_this_site_only(town: Town, path: str) -> None:
    answer = town.visit(town.begin(next_path=path))
    assert town.finish(answer).next_path == "/"
    answer = town.visit(town.begin(next_path="/choices?open=purchases"))
    assert town.finish(answer).next_path == "/choices?open=purchases"


def test_providers_are_listed_without_what_is_the_operators(town: Town) -> None:
    listed = town.stage.http.get("/v1/identity-providers").json()
    assert listed["providers"][0] == {"name": "market", "label": "market"}


def test_an_unknown_provider_and_a_service_without_an_address_are_not_found(town: Town) -> None:
    context = town.stage.context
    refused(404, lambda: service.begin(context, "none", ORIGIN, purpose=Purpose.LOGIN))
    refused(404, lambda: service.begin(context, "market", None, purpose=Purpose.LOGIN))


def test_a_provider_that_is_away_is_not_asked_again_at_once(town: Town) -> None:
    calls = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(503)

    town.stage.context.providers.transport = httpx.MockTransport(answer)
    refused(502, town.begin)
    refused(502, town.begin)
    assert calls == 1
    town.stage.clock.now += AFTER_FAILURE_S
    refused(502, town.begin)
    assert calls == 2
