"""Passkeys, with an authenticator that was written apart from the service."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from consent.origin import Origin
from consent.service.accounts import staff
from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.service import erase
from consent.service.principals import STEP_UP, Role
from tests.conftest import NewDatabase
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.authenticator import Authenticator, text
from tests.unit.consent.service.logins import age_proof, bearer, log_in

ORIGIN = "https://consent.test"
OPTIONS = "/v1/account/passkeys/options"
PASSKEYS = "/v1/account/passkeys"
STEP = "/v1/account/passkeys/step-up"
LOGIN = "/v1/passkeys/login"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "site", public_url=Origin.parse(ORIGIN))
    yield made
    made.close()


@pytest.fixture
def site_on_both(tmp_path: Path, new_database: NewDatabase) -> Iterator[Stage]:
    made = Stage(tmp_path / "site", database=new_database, public_url=Origin.parse(ORIGIN))
    yield made
    made.close()


def device(**changes: Any) -> Authenticator:
    return Authenticator(**({"origin": ORIGIN, "rp_id": "consent.test"} | changes))


def post(site: Stage, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
    return site.http.post(path, json=body, headers=bearer(token) if token else {})


def register(site: Stage, token: str, authenticator: Authenticator) -> dict[str, Any]:
    options = post(site, OPTIONS, token=token).json()["options"]
    body = {"name": "My phone", "credential": authenticator.create(options)}
    answer = post(site, PASSKEYS, body, token)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def sign_in(site: Stage, authenticator: Authenticator) -> httpx.Response:
    begun = post(site, LOGIN + "/options").json()
    body = {"ceremony": begun["ceremony"], "credential": authenticator.get(begun["options"])}
    return post(site, LOGIN, body)


def step_up(site: Stage, token: str, authenticator: Authenticator) -> httpx.Response:
    options = post(site, STEP + "/options", token=token).json()["options"]
    return post(site, STEP, {"credential": authenticator.get(options)}, token)


def alive(site: Stage, token: str) -> bool:
    return site.http.get(PASSKEYS, headers=bearer(token)).status_code == 200


def test_a_passkey_that_was_added_signs_in_without_a_name(site_on_both: Stage) -> None:
    site = site_on_both
    token, phone = log_in(site, "ada"), device(backed_up=True)
    made = register(site, token, phone)
    answer = sign_in(site, phone)
    assert answer.status_code == 201
    assert answer.json()["role"] == Role.SHOPPER
    listed = site.http.get(PASSKEYS, headers=bearer(answer.json()["token"])).json()["passkeys"]
    assert [entry["id"] for entry in listed] == [made["id"]]
    assert listed[0]["backed_up"] is True
    assert listed[0]["last_used_at"] is not None


def test_a_login_by_passkey_is_of_its_owners_role(site: Stage) -> None:
    phone = device()
    register(site, log_in(site, "grace", role=Role.OPERATOR), phone)
    assert sign_in(site, phone).json()["role"] == Role.OPERATOR


def test_options_ask_for_verification_and_a_discoverable_credential_only(site: Stage) -> None:
    options = post(site, OPTIONS, token=log_in(site, "ada")).json()["options"]
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    assert options["rp"]["id"] == "consent.test"
    begun = post(site, LOGIN + "/options").json()["options"]
    assert begun["userVerification"] == "required"
    assert begun["allowCredentials"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://consent.test.evil.test"},
        {"origin": "http://consent.test"},
        {"rp_id": "evil.test"},
        {"framed": True},
        {"verified": False},
        {"present": False},
        {"signs_as": "webauthn.other"},
    ],
    ids=str,
)
def test_an_answer_that_is_not_ours_neither_adds_nor_signs_in(
    site: Stage, wrong: dict[str, Any]
) -> None:
    token = log_in(site, "ada")
    options = post(site, OPTIONS, token=token).json()["options"]
    body = {"name": "Bad", "credential": device(**wrong).create(options)}
    assert post(site, PASSKEYS, body, token).status_code == 403
    good = device()
    register(site, token, good)
    assert sign_in(site, replace(good, **wrong)).status_code == 403
    good.counter += 1
    assert sign_in(site, good).status_code == 201


def test_a_signature_by_another_key_is_refused(site: Stage) -> None:
    good = device()
    register(site, log_in(site, "ada"), good)
    forged = replace(good, key=device().key)
    assert sign_in(site, forged).status_code == 403
    assert sign_in(site, good).status_code == 201


def test_each_challenge_is_answered_once(site_on_both: Stage) -> None:
    site = site_on_both
    token, phone = log_in(site, "ada"), device()
    options = post(site, OPTIONS, token=token).json()["options"]
    body = {"name": "Phone", "credential": phone.create(options)}
    assert post(site, PASSKEYS, body, token).status_code == 201
    assert post(site, PASSKEYS, body, token).status_code == 403
    begun = post(site, LOGIN + "/options").json()
    login = {"ceremony": begun["ceremony"], "credential": phone.get(begun["options"])}
    assert post(site, LOGIN, login).status_code == 201
    assert post(site, LOGIN, login).status_code == 403


def test_a_refused_answer_uses_its_challenge_up_too(site: Stage) -> None:
    phone = device()
    register(site, log_in(site, "ada"), phone)
    begun = post(site, LOGIN + "/options").json()

    def answer(signer: Authenticator) -> int:
        credential = signer.get(begun["options"])
        body = {"ceremony": begun["ceremony"], "credential": credential}
        return post(site, LOGIN, body).status_code

    assert answer(replace(phone, verified=False)) == 403
    assert answer(phone) == 403
    assert sign_in(site, phone).status_code == 201


def test_one_of_many_equal_answers_at_once_is_taken(site_on_both: Stage) -> None:
    site = site_on_both
    phone = device()
    register(site, log_in(site, "ada"), phone)
    begun = post(site, LOGIN + "/options").json()
    body = {"ceremony": begun["ceremony"], "credential": phone.get(begun["options"])}
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: post(site, LOGIN, body).status_code, range(8)))
    assert sorted(codes) == [201] + [403] * 7


@pytest.mark.parametrize(("after_s", "status"), [(299, 201), (300, 403)])
def test_a_challenge_lasts_five_minutes(site: Stage, after_s: int, status: int) -> None:
    phone = device()
    register(site, log_in(site, "ada"), phone)
    begun = post(site, LOGIN + "/options").json()
    site.clock.now += after_s
    body = {"ceremony": begun["ceremony"], "credential": phone.get(begun["options"])}
    assert post(site, LOGIN, body).status_code == status


def test_a_challenge_is_good_only_for_who_began_and_what_she_began(site: Stage) -> None:
    ada, eve, phone = log_in(site, "ada"), log_in(site, "eve"), device()
    options = post(site, OPTIONS, token=ada).json()["options"]
    stolen = {"name": "Hers", "credential": device().create(options)}
    assert post(site, PASSKEYS, stolen, eve).status_code == 403
    register(site, ada, phone)
    first, second = (post(site, LOGIN + "/options").json() for _ in range(2))
    swapped = {"ceremony": second["ceremony"], "credential": phone.get(first["options"])}
    assert post(site, LOGIN, swapped).status_code == 403
    login = post(site, LOGIN + "/options").json()["options"]
    assert post(site, STEP, {"credential": phone.get(login)}, ada).status_code == 403
    assert step_up(site, ada, phone).status_code == 204


def test_a_step_up_needs_a_passkey_of_the_same_account(site: Stage) -> None:
    ada, eve = log_in(site, "ada"), log_in(site, "eve")
    hers, others = device(), device()
    register(site, ada, hers)
    register(site, eve, others)
    age_proof(site)
    assert post(site, OPTIONS, token=ada).json()["type"] == STEP_UP
    options = post(site, STEP + "/options", token=ada).json()["options"]
    assert [entry["id"] for entry in options["allowCredentials"]] == [text(hers.credential_id)]
    assert step_up(site, ada, others).status_code == 403
    assert post(site, OPTIONS, token=ada).status_code == 403
    assert step_up(site, ada, hers).status_code == 204
    assert post(site, OPTIONS, token=ada).status_code == 200


def test_another_accounts_user_handle_is_refused(site: Stage) -> None:
    ada, eve = device(), device()
    register(site, log_in(site, "ada"), ada)
    register(site, log_in(site, "eve"), eve)
    assert sign_in(site, replace(eve, user=ada.user)).status_code == 403
    eve.counter += 1
    assert sign_in(site, eve).status_code == 201


def test_a_counter_that_goes_back_is_refused_and_said(site: Stage) -> None:
    phone = device(counter=5)
    token = log_in(site, "ada")
    register(site, token, phone)
    copy = replace(phone, counter=phone.counter)
    assert sign_in(site, phone).status_code == 201
    refused = sign_in(site, copy)
    assert refused.status_code == 403
    assert "counter went back" in refused.json()["detail"]
    assert sign_in(site, phone).status_code == 201


def test_a_passkey_that_does_not_count_signs_in_again_and_again(site: Stage) -> None:
    phone = device(steps=0)
    register(site, log_in(site, "ada"), phone)
    assert [sign_in(site, phone).status_code for _ in range(3)] == [201, 201, 201]


def test_a_passkey_belongs_to_one_account(site: Stage) -> None:
    ada, eve, phone = log_in(site, "ada"), log_in(site, "eve"), device()
    register(site, ada, phone)
    options = post(site, OPTIONS, token=eve).json()["options"]
    body = {"name": "Hers", "credential": replace(phone).create(options)}
    assert post(site, PASSKEYS, body, eve).status_code == 409


def test_adding_and_deleting_need_a_fresh_proof(site: Stage) -> None:
    token = log_in(site, "ada")
    made = register(site, token, device())
    options = post(site, OPTIONS, token=token).json()["options"]
    age_proof(site)
    body = {"name": "Late", "credential": device().create(options)}
    assert post(site, OPTIONS, token=token).json()["type"] == STEP_UP
    assert post(site, PASSKEYS, body, token).status_code == 403
    late = site.http.delete(f"{PASSKEYS}/{made['id']}", headers=bearer(token))
    assert late.json()["type"] == STEP_UP
    assert alive(site, token)


def test_adding_one_leaves_other_logins_open_and_deleting_ends_its_own(site_on_both: Stage) -> None:
    site = site_on_both
    first = log_in(site, "ada")
    phone, key = device(), device()
    lost = register(site, first, phone)
    register(site, first, key)
    by_phone, by_key = (sign_in(site, each).json()["token"] for each in (phone, key))
    assert all(alive(site, token) for token in (first, by_phone, by_key))
    gone = site.http.delete(f"{PASSKEYS}/{lost['id']}", headers=bearer(first))
    assert gone.status_code == 204
    assert not alive(site, by_phone)
    assert alive(site, first)
    assert alive(site, by_key)
    assert sign_in(site, phone).status_code == 403


def test_the_last_way_in_stays(site_on_both: Stage) -> None:
    site = site_on_both
    token = log_in(site, "ada", password=False)
    phone, key = register(site, token, device()), register(site, token, device())
    paths = [f"{PASSKEYS}/{each['id']}" for each in (phone, key)]
    assert site.http.delete(paths[0], headers=bearer(token)).status_code == 204
    assert site.http.delete(paths[1], headers=bearer(token)).status_code == 409
    assert alive(site, token)


def test_others_passkeys_do_not_exist(site: Stage) -> None:
    ada, eve = log_in(site, "ada"), log_in(site, "eve")
    path = f"{PASSKEYS}/{register(site, ada, device())['id']}"
    assert site.http.delete(path, headers=bearer(eve)).status_code == 404
    renamed = {"name": "Mine now"}
    assert site.http.patch(path, json=renamed, headers=bearer(eve)).status_code == 404
    answer = site.http.patch(path, json={"name": "  Old phone "}, headers=bearer(ada))
    assert answer.json()["name"] == "Old phone"


def test_a_closed_account_is_not_signed_in_to(site: Stage) -> None:
    phone = device()
    token = log_in(site, "ada")
    register(site, token, phone)
    with site.context.database.writing() as session:
        accounts = AccountRepository(session)
        account = accounts.by_name("ada")
        assert account is not None
        account.closed_at = site.context.now_ms()
        accounts.save(account)
    assert sign_in(site, phone).status_code == 401


def test_an_operators_new_start_ends_her_passkeys(site_on_both: Stage) -> None:
    site, lost = site_on_both, device()
    register(site, log_in(site, "olga", role=Role.OPERATOR), lost)
    staff.add(site.context, Role.OPERATOR, "olga")
    assert sign_in(site, lost).status_code == 403


def test_an_erased_account_leaves_no_passkey(site_on_both: Stage) -> None:
    site = site_on_both
    phone = device()
    token = log_in(site, "ada")
    register(site, token, phone)
    shopper = sign_in(site, phone).json()["shopper"]
    with site.context.database.writing() as session:
        erase(site.context, session, shopper)
    assert sign_in(site, phone).status_code == 403


def test_a_shoppers_device_token_has_no_passkeys(site: Stage) -> None:
    made = site.device()
    token = made.shoppers[made.shopper]
    assert site.http.get(PASSKEYS, headers=bearer(token)).status_code == 404
    assert post(site, OPTIONS, token=token).status_code == 404


def _without_type(credential: dict[str, Any]) -> None:
    credential.pop("type")


def _foreign_id(credential: dict[str, Any]) -> None:
    credential["rawId"] = text(b"another")


def _no_handle(credential: dict[str, Any]) -> None:
    credential["response"].pop("userHandle")


def _no_json(credential: dict[str, Any]) -> None:
    credential["response"]["clientDataJSON"] = text(b"[]")


def _short_data(credential: dict[str, Any]) -> None:
    credential["response"]["authenticatorData"] = text(b"short")


def _odd_base64(credential: dict[str, Any]) -> None:
    credential["response"]["signature"] = "A"


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (_without_type, 422),
        (_foreign_id, 403),
        (_no_handle, 403),
        (_no_json, 403),
        (_short_data, 403),
        (_odd_base64, 403),
    ],
)
def test_malformed_answers_are_refused(
    site: Stage, spoil: Callable[[dict[str, Any]], None], status: int
) -> None:
    phone = device()
    register(site, log_in(site, "ada"), phone)
    begun = post(site, LOGIN + "/options").json()
    credential = phone.get(begun["options"])
    spoil(credential)
    body = {"ceremony": begun["ceremony"], "credential": credential}
    assert post(site, LOGIN, body).status_code == status
    assert sign_in(site, phone).status_code == 201


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8640", 200),
        ("consent.test", 404),
        ("127.0.0.1:8640", 404),
        ("localhost:8640@evil.test", 404),
        ("localhost.evil.test", 404),
    ],
)
def test_without_a_public_address_only_localhost_has_passkeys(
    tmp_path: Path, host: str, status: int
) -> None:
    stage = Stage(tmp_path / "demo")
    answer = stage.http.post(LOGIN + "/options", headers={"Host": host})
    stage.close()
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["options"]["rpId"] == "localhost"


def test_a_service_with_a_public_address_ignores_the_host_header(site: Stage) -> None:
    answer = site.http.post(LOGIN + "/options", headers={"Host": "localhost:8640"})
    assert answer.json()["options"]["rpId"] == "consent.test"
