"""What a policy says about its seal: who it keeps out, where it ends, in both languages."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from consent.panel.policy import PolicyFacts, facts
from consent.panel.sealing_words import COIN, EXPERIMENTAL, OPEN_TO_ALL, SEALINGS, noise_words
from consent.service.rounds import service
from crypto.dp.plan import PrivacyPlan, without_noise
from crypto.dp.plan_terms import Sampling
from crypto.dp.widths import NoiseSet
from crypto.sums.schemes import Scheme
from tests.unit.consent.harness import TASK, Stage
from tests.unit.consent.panel.conftest import Visitor, shopper_of
from tests.unit.consent.panel.test_languages import texts
from tests.unit.consent.rounds import COLLECT, make_manifest, publish, release
from tests.unit.crypto.samples import plan

VOTED = [Scheme.COMPACT_SUM, Scheme.PIECE_SUM]
SCHEMES = pytest.mark.parametrize("scheme", Scheme)
# What a shopper must be able to take from the page, by scheme and language.
TELLS = {
    (Scheme.SHARE_SUM, "en"): ["partners under contract", "could break this seal", "were paired"],
    (Scheme.SHARE_SUM, "zh"): ["签有合同", "就能破坏这种封存", "已与联盟配对"],
    (Scheme.COMPACT_SUM, "en"): ["even if they lie", "any one key holder", "Two key holders who"],
    (Scheme.COMPACT_SUM, "zh"): ["即使它说谎", "任何单个密钥持有方", "两个密钥持有方一起"],
}
TELLS |= {(Scheme.PIECE_SUM, each): TELLS[Scheme.COMPACT_SUM, each] for each in ("en", "zh")}


def page_of(visitor: Visitor, round_id: str = "round-1", language: str = "en") -> set[str]:
    """The sentences of a policy's page."""
    found = visitor.speaks(language).get(f"/policies/{TASK}/{round_id}")
    assert found.status_code == 200
    return texts(found.text)


def says(page: Iterable[str], *words: str) -> bool:
    whole = " ".join(page)
    return all(word in whole for word in words)


def facts_of(panel: Stage) -> PolicyFacts:
    return facts(service.policy(panel.context, TASK, "round-1"))


@SCHEMES
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_the_seal_and_its_limit(
    panel: Stage, nobody: Visitor, scheme: Scheme, language: str
) -> None:
    publish(panel, make_manifest(plan=plan(scheme=scheme)))
    page = page_of(nobody, language=language)
    others = {each for each in TELLS if each[0].votes != scheme.votes and each[1] == language}
    assert says(page, *TELLS[scheme, language])
    for other in others:
        assert not any(says(page, words) for words in TELLS[other])
    # The overview of all policies says it too, without a click.
    assert says(texts(nobody.get("/policies").text), *TELLS[scheme, language])


@SCHEMES
@pytest.mark.parametrize(("language", "share"), [("en", "share sum"), ("zh", "份额求和")])
def test_the_technical_name_stands_with_the_numbers(
    panel: Stage, nobody: Visitor, scheme: Scheme, language: str, share: str
) -> None:
    publish(panel, make_manifest(plan=plan(scheme=scheme)))
    page = page_of(nobody, language=language)
    assert (share in page) == (scheme is Scheme.SHARE_SUM)


@SCHEMES
def test_who_adds_the_noise(panel: Stage, scheme: Scheme) -> None:
    publish(panel, make_manifest(plan=plan(scheme=scheme)))
    found = facts_of(panel).noise
    assert ("key holders add noise" in found) == scheme.votes
    assert ("device" in found) is True


@pytest.mark.parametrize("scheme", VOTED)
def test_devices_that_add_none_are_not_said_to(
    panel: Stage, nobody: Visitor, scheme: Scheme
) -> None:
    publish(panel, make_manifest(plan=plan(scheme=scheme, client_noise=0.0)))
    page = page_of(nobody)
    assert says(page, "The key holders add noise before the sum is opened, so that")
    assert not says(page, "every device adds some")


@SCHEMES
def test_no_noise_is_said_and_nobody_adds_any(
    panel: Stage, nobody: Visitor, scheme: Scheme
) -> None:
    publish(panel, make_manifest(plan=without_noise(plan(scheme=scheme)), epsilon=None))
    page = page_of(nobody)
    assert says(page, "It adds no noise, so nothing bounds")
    assert not says(page, "so that a result says little")


def test_what_holds_for_one_policy_alone(panel: Stage, nobody: Visitor) -> None:
    usual = plan(scheme=Scheme.COMPACT_SUM)
    set_b = PrivacyPlan.fitted(
        **{
            **{k: getattr(usual, k) for k in ("dimension", "clipping_norm", "min_clients")},
            **{k: getattr(usual, k) for k in ("max_clients", "max_shoppers", "max_colluders")},
            "delta": usual.delta,
            "noise_multiplier": 4.0,
            "noise": NoiseSet.CENTRED_GAUSSIAN,
            "experimental": True,
        }
    )
    sampled = replace(usual, sampling=Sampling.HIDDEN_POISSON, sampling_rate=0.5)
    rare = replace(usual, rounds=6, separation=3)
    plans = {"usual": usual, "set-b": set_b, "sampled": sampled, "rare": rare}
    for name, made in plans.items():
        run: dict[str, Any] = {"run": "a-run"} if made.rounds > 1 else {}
        publish(panel, make_manifest(name, plan=made, unpaired_devices=name == "usual", **run))
    often = "Nobody takes part more than once in any 3 rounds in a row."
    expected = {
        "usual": {OPEN_TO_ALL},
        "set-b": {EXPERIMENTAL},
        "sampled": {COIN},
        "rare": {often},
    }
    for name, sentences in expected.items():
        page = page_of(nobody, name)
        assert page & {OPEN_TO_ALL, EXPERIMENTAL, COIN, often} == sentences
        assert not page_of(nobody, name, "zh") & {*sentences, often}


def test_the_diary_names_the_seal(panel: Stage) -> None:
    device, others = panel.device(decisions=COLLECT), [panel.device() for _ in range(4)]
    release(panel, device, *others, round_id="r1")
    visitor = shopper_of(panel, device, "diarist")
    assert "share sum" in texts(visitor.get("/diary").text)


def test_sentences_are_short_plain_words() -> None:
    """No term of the trade, and no sentence that one has to read twice."""
    said = [OPEN_TO_ALL, EXPERIMENTAL, COIN]
    said += [text for each in SEALINGS.values() for text in (each.protects, each.limit)]
    said += [noise_words(scheme, share) for scheme in Scheme for share in (0.0, 1.0)]
    terms = re.compile(
        r"client|coordinator|cipher|vector|epsilon|ε|cohort|scheme|Poisson|RLWE|HPKE|collu", re.I
    )
    for text in said:
        assert not terms.search(text), text
        assert max(len(sentence.split()) for sentence in re.split(r"[.;] ", text)) <= 30, text
