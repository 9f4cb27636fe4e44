"""The record of processing activities (GDPR art. 30(1)) of the service as it runs."""

from typing import Any, Final

from consent import aliases, dpv
from consent.notice import Language
from consent.purpose import Category, Purpose
from consent.receipt import NOT_STATED, moment
from consent.retention import KEPT
from consent.service.inventory.document import Document, Say, Section, speaker
from consent.service.inventory.facts import Facts
from consent.service.receipts.words import CATEGORIES, PURPOSES
from crypto.dp.bound import told
from crypto.manifest import Manifest

# Art. 32: what protects the data, as the service is built.
MEASURES: Final = (
    (
        "Purchases, vectors and recommendations never reach this service; it keeps decisions, "
        "pseudonyms, points and requests."
    ),
    (
        "Shoppers, devices and rounds are named by random ids; a pseudonym is another one in every "
        "round."
    ),
    (
        "Contributions are clipped, mixed with noise and sealed on the client; only sums over at "
        "least the minimum cohort are opened, by two of three key holders."
    ),
    (
        "Every grant is checked again in the transaction that freezes a round's list; a withdrawal "
        "lands wholly before or wholly after it."
    ),
    "Tokens, codes and passwords are stored as hashes; an irreversible step needs a fresh proof.",
    (
        "History is append-only by trigger and stands in a signed Merkle log; operators' acts are "
        "chained."
    ),
    "Whatever is sensitive among product classes is off by default and earns no points.",
)


def document(facts: Facts, language: Language) -> Document:
    """The record in a language."""
    say = speaker(language)
    return Document(
        title=say("Record of processing activities"),
        lead=say("Made from the running service at {time}, under GDPR art. 30(1).").format(
            time=moment(facts.made_at)
        ),
        language=language,
        sections=[
            _controller(facts, say),
            _purposes(facts, say, language),
            _data(facts, say, language),
            _recipients(facts, say),
            _policies(facts, say, language),
            _limits(facts, say),
            Section(
                heading=say("Security measures"),
                columns=[say("Measure")],
                rows=[[say(measure)] for measure in MEASURES],
            ),
        ],
    )


def to_json(facts: Facts) -> dict[str, Any]:
    """The record with DPV terms, and fideslang keys beside them."""
    return {
        "@context": dict(dpv.NAMESPACES),
        "@type": "dpv:RecordsOfActivities",
        "dct:issued": moment(facts.made_at),
        "dpv:hasDataController": facts.controller.to_json(),
        "dpv:hasNotice": {"version": facts.notice.version, "sha256": facts.hashes},
        "dpv:hasDataSubject": ["dpv:Consumer"],
        "dpv:hasDuration": f"P{facts.validity_days}D",
        "dpv:hasProcess": [_process(facts, purpose) for purpose in sorted(facts.notice.purposes)],
        "dpv:hasPersonalData": [
            {
                "fedcart:category": category,
                "@id": dpv.CATEGORIES[category],
                "fideslang": aliases.category_of(category),
            }
            for category in sorted(facts.notice.categories)
        ],
        "dpv:hasDataTransfer": [],
        "fedcart:taskPolicies": [policy.body for policy in facts.policies],
        "dpv:hasStorageCondition": {
            "fedcart:retention": [rule.model_dump(mode="json") for rule in facts.retention],
            "fedcart:kept": dict(KEPT),
            "dpv:hasLocation": facts.controller.storage,
        },
        "dpv:hasTechnicalOrganisationalMeasure": list(MEASURES),
    }


def _process(facts: Facts, purpose: Purpose) -> dict[str, Any]:
    return {
        "fedcart:purpose": purpose,
        "dpv:hasPurpose": list(dpv.PURPOSES[purpose]),
        "fideslang": aliases.use_of(purpose),
        "dpv:hasLegalBasis": "dpv:Consent",
        "dpv:hasRecipient": list(dpv.RECIPIENTS[purpose]),
        "fedcart:categories": sorted(facts.notice.categories),
        "fedcart:tasks": [each.task for each in facts.policies if purpose in each.purposes],
    }


def _controller(facts: Facts, say: Say) -> Section:
    stated = facts.controller.to_json()
    names = {
        "name": "Controller",
        "address": "Address",
        "contact": "Contact",
        "jurisdiction": "Law",
        "storage": "Where the records are kept",
    }
    rows = [
        [say(name), say(NOT_STATED) if stated[key] == NOT_STATED else stated[key]]
        for key, name in names.items()
    ]
    return Section(
        heading=say("Controller and contact"), columns=[say("What"), say("Stated")], rows=rows
    )


def _purposes(facts: Facts, say: Say, language: Language) -> Section:
    rows = [
        [
            PURPOSES[language][purpose],
            ", ".join(dpv.PURPOSES[purpose]),
            aliases.use_of(purpose),
            say("consent, GDPR art. 6(1)(a)"),
            ", ".join(each.task for each in facts.policies if purpose in each.purposes) or "–",
        ]
        for purpose in sorted(facts.notice.purposes)
    ]
    return Section(
        heading=say("Purposes"),
        columns=[say("Purpose"), "DPV", "fideslang", say("Legal basis"), say("Tasks that run")],
        rows=rows,
        remark=say(
            "Each purpose is asked for apart from the others under notice {version}, and a yes "
            "ends by itself after {days} days."
        ).format(version=facts.notice.version, days=facts.validity_days),
    )


def _data(facts: Facts, say: Say, language: Language) -> Section:
    special = say("special categories may show, GDPR art. 9(2)(a)")
    rows = [
        [
            CATEGORIES[language][category],
            dpv.CATEGORIES[category],
            aliases.category_of(category),
            special if category is Category.SENSITIVE else "–",
        ]
        for category in sorted(facts.notice.categories)
    ]
    return Section(
        heading=say("Data subjects and personal data"),
        columns=[say("Data"), "DPV", "fideslang", say("Remark")],
        rows=rows,
        remark=say(
            "Data subjects: shoppers. These data stay on their devices and with the stores that "
            "sold to them; the service itself keeps decisions, pseudonyms, points and requests."
        ),
    )


def _recipients(facts: Facts, say: Say) -> Section:
    rows = [
        [say("Coordinator"), say("sealed contributions, lists of pseudonyms, the noisy sum")],
        [say("Key holders"), say("their share of a sum over at least the minimum cohort")],
        [say("Readers of a release"), say("what is computed from one noisy sum a round")],
    ]
    return Section(
        heading=say("Recipients and transfers"),
        columns=[say("Recipient"), say("What they get")],
        rows=rows,
        remark=say(
            "The service transfers nothing to a third country or an international organisation by "
            "itself. Whether a recipient is in one depends on where it runs; state it here: "
            "{jurisdiction}."
        ).format(
            jurisdiction=say(NOT_STATED)
            if facts.controller.jurisdiction == NOT_STATED
            else facts.controller.jurisdiction
        ),
    )


def _policies(facts: Facts, say: Say, language: Language) -> Section:
    return Section(
        heading=say("Task policies in force"),
        columns=[
            say("Task"),
            say("Round"),
            say("Purposes"),
            say("Data"),
            say("Clipping norm"),
            say("Noise multiplier"),
            say("Smallest cohort"),
            "ε",
            "δ",
        ],
        rows=[policy_row(policy, say, language) for policy in facts.policies],
        remark="" if facts.policies else say("No task runs."),
    )


def policy_row(policy: Manifest, say: Say, language: Language) -> list[str]:
    """One task policy in a table."""
    return [
        policy.task,
        policy.round_id,
        ", ".join(PURPOSES[language][Purpose(each)] for each in policy.purposes),
        ", ".join(CATEGORIES[language][Category(each)] for each in policy.categories),
        f"{policy.plan.clipping_norm:g}",
        f"{policy.plan.noise_multiplier:g}",
        str(policy.plan.min_clients),
        say("no noise, no bound") if policy.epsilon is None else told(policy.epsilon),
        f"{policy.plan.delta:g}",
    ]


def _limits(facts: Facts, say: Say) -> Section:
    rows = [
        [
            say(rule.record_class.value),
            say("{days} days").format(days=rule.days),
            say(rule.begins),
            say(rule.ground),
            rule.source,
        ]
        for rule in facts.retention
    ]
    rows += [[say(records), say(until), "–", "–", "–"] for records, until in KEPT.items()]
    return Section(
        heading=say("Time limits for erasure"),
        columns=[say("Records"), say("Kept for"), say("From"), say("Why"), say("Source")],
        rows=rows,
    )
