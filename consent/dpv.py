"""fedcart's words in the W3C Data Privacy Vocabulary, so that other software reads the records.

DPV has no term for training a model that is shared through noisy sums, so fedcart mints
``fedcart:TrainSharedModels``; the same holds for the few other words that DPV lacks.
Source: DPV 2 (https://w3id.org/dpv) and its personal data extension (https://w3id.org/dpv/pd).
"""

from collections.abc import Mapping
from typing import Any, Final

from consent.purpose import Category, ConsentState, Purpose

NAMESPACES: Final[Mapping[str, str]] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "fedcart": "urn:fedcart:terms:",
}
PURPOSES: Final[Mapping[Purpose, tuple[str, ...]]] = {
    Purpose.PERSONALISE: ("dpv:ProvideProductRecommendations", "dpv:ServicePersonalisation"),
    Purpose.TRAIN: ("fedcart:TrainSharedModels", "dpv:ImproveExistingProductsAndServices"),
    Purpose.FAIRNESS: ("fedcart:FairnessAudit", "dpv:ImproveExistingProductsAndServices"),
    Purpose.MEASUREMENT: ("dpv:ServiceUsageAnalytics",),
    Purpose.STOCK: ("fedcart:StockPlanning", "dpv:InternalResourceOptimisation"),
    Purpose.VALUE_SHARING: ("fedcart:ValueSharing", "dpv:PersonalisedBenefits"),
    Purpose.RESEARCH: ("dpv:CommercialResearch",),
}
CATEGORIES: Final[Mapping[Category, str]] = {
    Category.PURCHASES: "pd:PurchasesAndSpendingHabit",
    Category.BROWSING: "pd:BrowsingBehaviour",
    Category.LOCATION: "pd:Location",
    Category.TIME_CONTEXT: "fedcart:TimeAndContext",
    Category.DEVICE: "pd:DeviceBased",
    Category.DEMOGRAPHICS: "pd:AgeRange",
    Category.SENSITIVE: "dpv:SpecialCategoryPersonalData",
}
STATES: Final[Mapping[ConsentState, str]] = {
    ConsentState.UNKNOWN: "dpv:ConsentUnknown",
    ConsentState.REQUESTED: "dpv:ConsentRequested",
    ConsentState.REQUEST_DEFERRED: "dpv:ConsentRequestDeferred",
    ConsentState.GIVEN: "dpv:ConsentGiven",
    ConsentState.RENEWED: "dpv:RenewedConsentGiven",
    ConsentState.REFUSED: "dpv:ConsentRefused",
    ConsentState.EXPIRED: "dpv:ConsentExpired",
    ConsentState.WITHDRAWN: "dpv:ConsentWithdrawn",
    ConsentState.REVOKED: "dpv:ConsentRevoked",
    ConsentState.INVALIDATED: "dpv:ConsentInvalidated",
}
# Who receives anything for a purpose: nobody where all stays on the device, else sealed sums.
RECIPIENTS: Final[Mapping[Purpose, tuple[str, ...]]] = {
    purpose: ()
    if purpose in (Purpose.PERSONALISE, Purpose.VALUE_SHARING)
    else ("fedcart:Coordinator", "fedcart:KeyHolders")
    for purpose in Purpose
}
# The field names of ISO/IEC TS 27560 as terms. Inlined in every receipt: reading one needs no
# network. Whole objects whose keys are fedcart's own are left as JSON.
CONTEXT: Final[Mapping[str, Any]] = {
    **NAMESPACES,
    "schema_version": "dct:conformsTo",
    "record_id": "dct:identifier",
    "pii_principal_id": "dpv:hasDataSubject",
    "issued_at": "dct:issued",
    "privacy_notice": {"@id": "dpv:hasNotice", "@type": "@json"},
    "language": "dct:language",
    "pii_processing": "dpv:hasProcess",
    "purpose": "fedcart:purpose",
    "purpose_terms": {"@id": "dpv:hasPurpose", "@type": "@id"},
    "lawful_basis": {"@id": "dpv:hasLegalBasis", "@type": "@id"},
    "pii_information": "dpv:hasPersonalData",
    "category": "fedcart:category",
    "pii_type": "@type",
    "pii_controllers": "dpv:hasDataController",
    "storage_locations": "dpv:hasStorageCondition",
    "retention_period": "dpv:hasDuration",
    "jurisdiction": "dpv:hasJurisdiction",
    "recipient_third_parties": {"@id": "dpv:hasRecipient", "@type": "@id"},
    "withdrawal_method": "dpv:hasConsentControl",
    "party_identification": "dpv:hasEntity",
    "party_id": "dct:identifier",
    "name": "dpv:hasName",
    "address": "dpv:hasAddress",
    "contact": "dpv:hasContact",
    "type": {"@id": "dct:type", "@type": "@id"},
    "events": "fedcart:event",
    "event_time": "dct:date",
    "validity_duration": "dct:valid",
    "entity_id": "dpv:isIndicatedBy",
    "event_type": {"@id": "dct:type", "@type": "@id"},
    "event_state": {"@id": "dpv:hasConsentStatus", "@type": "@id"},
    "logged_event": {"@id": "fedcart:loggedEvent", "@type": "@json"},
    "proof": {"@id": "fedcart:proof", "@type": "@json"},
}
