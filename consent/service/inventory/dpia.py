"""The data protection impact assessment (GDPR art. 35(7)) of the service as it runs.

The risks are those of the threat model, with what is claimed against each and what is not. How
likely and how severe they are is this project's own judgement, which a controller reviews; the
figures are those of the running service, rounded, as they were counted last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.notice import Language
from consent.receipt import moment
from consent.service.inventory.document import Document, Say, Section, speaker
from consent.service.inventory.facts import Facts, Spent, rounded
from consent.service.inventory.ropa import policy_row
from consent.service.inventory.ropa import to_json as ropa_json
from consent.service.receipts.words import PURPOSES
from consent.tasks.names import TaskName
from crypto.dp.bound import told


@dataclass(frozen=True, kw_only=True)
class Risk:
    """A risk to shoppers, what is done about it, and what remains. Levels: low, medium, high."""

    name: str
    likelihood: str
    severity: str
    measures: str
    residual: str
    residual_level: str


RISKS: Final[Sequence[Risk]] = (
    Risk(
        name="A release tells something about one shopper.",
        likelihood="medium",
        severity="high",
        measures="Clipping, noise and a minimum cohort give each release an (ε, δ) bound, and a "
        "ledger bounds all of them together before anything is released.",
        residual="The bound rests on clients that follow the protocol and on at most the planned "
        "number of colluders. A task without noise has no bound.",
        residual_level="low",
    ),
    Risk(
        name="Somebody opens one shopper's contribution.",
        likelihood="medium",
        severity="high",
        measures="Contributions are sealed to three key holders, of which two are needed. Each of "
        "them checks every contribution, adds noise of its own, and opens only the sum over the "
        "one list that all three voted for.",
        residual="Two key holders together open anything. In a share sum key holders don't vote: "
        "that the sum covers the signed list rests on the coordinator there, and a client allied "
        "with it breaks the seal, so devices outside an alliance are not admitted.",
        residual_level="medium",
    ),
    Risk(
        name="Data are used although consent was withdrawn.",
        likelihood="medium",
        severity="high",
        measures="The list of a round is frozen in one transaction that holds only grants which "
        "stand; everything fails closed when the service can't be reached.",
        residual="Models released before a withdrawal keep what they learned, within their bound.",
        residual_level="low",
    ),
    Risk(
        name="Baskets show health, religion or sex life.",
        likelihood="medium",
        severity="high",
        measures="Sensitive product classes are a category of their own, off by default and "
        "without points. The public item list names them; without a grant for the very purpose "
        "their lines reach no task and no list, and they are not recommended.",
        residual="Classes that nobody listed as sensitive may still tell something.",
        residual_level="medium",
    ),
    Risk(
        name="An audit tells which group somebody is in, or shows up a small group.",
        likelihood="medium",
        severity="high",
        measures="Stating a group is voluntary, needs a grant of its own, and stays on the device; "
        "what leaves is a place in a noisy sum, and no group below a public minimum is reported.",
        residual="A store that takes statements for its shoppers knows them. Figures of a group "
        "may be held against all of its members.",
        residual_level="low",
    ),
    Risk(
        name="Participation itself is seen.",
        likelihood="high",
        severity="low",
        measures="Pseudonyms differ in every round, and points and diary are mapped inside the "
        "service only.",
        residual="The coordinator sees client keys, times and cohort sizes; that is not hidden.",
        residual_level="medium",
    ),
    Risk(
        name="Records of consent leak or are altered.",
        likelihood="low",
        severity="medium",
        measures="Opaque ids, hashed secrets, append-only history, a signed log that shoppers "
        "check offline, chained acts of operators.",
        residual="Whoever holds the database and the service's key can link a shopper's decisions; "
        "a malicious service could sign lists that nobody agreed to.",
        residual_level="medium",
    ),
    Risk(
        name="Consent is not free, because points reward it.",
        likelihood="medium",
        severity="medium",
        measures="Points are an opt-in of their own, flat for every round, never taken back, and "
        "not given for sensitive data; yes and no cost the same clicks.",
        residual="Any reward may sway somebody who needs it.",
        residual_level="low",
    ),
    Risk(
        name="A model is wrong or was poisoned.",
        likelihood="medium",
        severity="low",
        measures="Contributions are bounded in norm on honest clients, and recommendations are "
        "made on the device.",
        residual="Resistance to poisoning is not claimed: sealed vectors can't be inspected.",
        residual_level="medium",
    ),
)
NOT_CLAIMED: Final = (
    "That participation is hidden.",
    "Privacy of a store's shoppers towards their own store.",
    "Anonymity of released models: EDPB Opinion 28/2024 wants evidence case by case.",
    "Correct or poisoning-resistant models.",
    "That clients run the published code; side-channel resistance.",
    "Formal verification or an outside review: there has been none yet.",
)
NECESSITY: Final = (
    (
        "Only categories that a task's signed policy names and the shopper has agreed to leave the "
        "gateway on her device."
    ),
    "A noisy sum is enough for the models that run; no raw event is collected anywhere.",
    "Nothing depends on consent: prices and service stay the same after a no.",
    "Consent is asked a purpose and a category at a time, and ends by itself.",
    "Rights are carried out here and, by signed instruction, at devices and stores.",
)


def document(facts: Facts, language: Language) -> Document:
    """The assessment in a language."""
    say = speaker(language)
    return Document(
        title=say("Data protection impact assessment"),
        lead=say(
            "Made from the running service at {time}, under GDPR art. 35(7). Likelihood and "
            "severity are fedcart's judgement; the controller reviews them."
        ).format(time=moment(facts.made_at)),
        language=language,
        sections=[
            _description(facts, say, language),
            _spent(facts, say),
            Section(
                heading=say("Necessity and proportionality"),
                columns=[say("Ground")],
                rows=[[say(each)] for each in NECESSITY],
            ),
            _risks(say),
            _attacks(facts, say),
            Section(
                heading=say("What is not claimed"),
                columns=[say("Not claimed")],
                rows=[[say(each)] for each in NOT_CLAIMED],
            ),
        ],
    )


def to_json(facts: Facts) -> dict[str, Any]:
    """The assessment as JSON, with the record of processing as its description."""
    return {
        "@type": "dpv:DPIA",
        "dct:issued": moment(facts.made_at),
        "fedcart:description": ropa_json(facts),
        "fedcart:figures": {
            "counted_at": moment(facts.figures.counted_at),
            "shoppers": rounded(facts.figures.shoppers),
            "giving": {purpose: rounded(count) for purpose, count in facts.figures.giving.items()},
            "withdrawals_honoured": rounded(facts.figures.withdrawals),
            "spent": {task: vars(spent) for task, spent in facts.spent.items()},
        },
        "fedcart:necessity": list(NECESSITY),
        "dpv:hasRisk": [vars(risk) for risk in RISKS],
        "fedcart:attackAudits": {
            task: [_attack(each) for each in facts.attacks if each.task == task] or "not run"
            for task in TaskName
        },
        "fedcart:notClaimed": list(NOT_CLAIMED),
    }


def _description(facts: Facts, say: Say, language: Language) -> Section:
    figures = facts.figures
    rows = [
        [say("When shoppers and withdrawals were counted"), moment(figures.counted_at)],
        [say("Shoppers"), rounded(figures.shoppers)],
    ]
    rows += [
        [
            say("Shoppers who say yes: {purpose}").format(purpose=PURPOSES[language][purpose]),
            rounded(count),
        ]
        for purpose, count in figures.giving.items()
    ]
    rows += [[say("Withdrawals that were honoured"), rounded(figures.withdrawals)]]
    rows += [[say("Points a round"), str(facts.points_per_round)]]
    for policy in facts.policies:
        task, round_id, purposes, data, clipping, noise, cohort, epsilon, delta = policy_row(
            policy, say, language
        )
        text = say(
            "round {round}: {purposes}; {data}; clipping norm {clipping}, noise multiplier "
            "{noise}, at least {cohort} clients, ε = {epsilon}, δ = {delta}"
        )
        shown = text.format(
            round=round_id,
            purposes=purposes,
            data=data,
            clipping=clipping,
            noise=noise,
            cohort=cohort,
            epsilon=epsilon,
            delta=delta,
        )
        rows.append([say("Task {task}").format(task=task), shown])
    return Section(
        heading=say("Systematic description"),
        columns=[say("What"), say("Figure")],
        rows=rows,
        remark=say(
            "Clients train on data that shoppers agreed to and send sealed, noisy contributions; "
            "the record of processing activities says what for and who gets what. Shoppers and "
            "withdrawals are rounded down to tens."
        ),
    )


def _spent(facts: Facts, say: Say) -> Section:
    rows = [[task.value, *_figures(facts.spent.get(task), say)] for task in TaskName]
    return Section(
        heading=say("Privacy budget spent"),
        columns=[say("Task"), say("Releases"), say("ε in all"), "δ"],
        rows=rows,
        remark=say("ε is the worst case that was planned; a withdrawal does not give it back."),
    )


def _figures(spent: Spent | None, say: Say) -> list[str]:
    if spent is None:
        return ["0", "0", "–"]
    if spent.without_noise or spent.epsilon is None:
        return [str(spent.releases), say("no noise, no bound"), f"{spent.delta:g}"]
    return [str(spent.releases), told(spent.epsilon), f"{spent.delta:g}"]


def _risks(say: Say) -> Section:
    columns = ["Risk", "Likelihood", "Severity", "Measures", "What remains", "Residual risk"]
    return Section(
        heading=say("Risks to shoppers"),
        columns=[say(each) for each in columns],
        rows=[[say(text) for text in vars(risk).values()] for risk in RISKS],
    )


def _attacks(facts: Facts, say: Say) -> Section:
    rows = []
    for task in TaskName:
        found = [each for each in facts.attacks if each.task == task]
        rows += [
            [task.value, each.attack, f"{each.measure} = {each.value:g}", moment(each.recorded_at)]
            for each in found
        ] or [[task.value, say("not run"), "–", "–"]]
    return Section(
        heading=say("Attacks on released models"),
        columns=[say("Task"), say("Attack"), say("Result"), say("Recorded")],
        rows=rows,
    )


def _attack(row: Any) -> dict[str, Any]:
    return {
        "attack": row.attack,
        "measure": row.measure,
        "value": row.value,
        "report_sha256": row.report_sha256,
        "recorded_at": row.recorded_at,
    }
