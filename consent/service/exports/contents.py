"""What an export has of each table, and what is left out of it, with the reason.

Every table that holds something of a shopper is in ``FILES`` or in ``LEFT_OUT``. A column goes out
unless it is withheld; one whose name sounds like a secret goes out only if it is in ``SHOWN``,
so that a secret that is added tomorrow stays in.
"""

import re
from collections.abc import Mapping
from typing import Final

# Table: the file in ``data/``, and what it is in a sentence.
FILES: Final[Mapping[str, tuple[str, str]]] = {
    "shopper": ("shopper", "Your opaque id, your consent epoch, where you said that you live."),
    "consent": ("cells", "What you agree to now, cell by cell."),
    "consent_event": ("history", "Every decision about your consent, with its place in the log."),
    "log_key": ("log-key", "The key with which your entries in the log can be recomputed."),
    "membership": ("clients", "The devices and stores that stand for you."),
    "device_token": ("devices", "Devices that you paired."),
    "participation_grant": ("grants", "Every grant for a round, with its pseudonym."),
    "committed_grant": ("committed", "Which of the grants a round's list has frozen."),
    "refusal": ("refusals", "Rounds for which you were asked and did not take part, and why."),
    "diary_entry": ("diary", "Released rounds that your data was part of."),
    "points_entry": ("points", "Every entry of your points."),
    "discount_code": ("codes", "Discount codes that you made; the codes themselves are not kept."),
    "code_use": ("codes-used", "Codes that a till has used."),
    "rights_request": ("requests", "What you asked for, and by when it is answered."),
    "rights_step": ("request-steps", "What was done about it."),
    "instruction": ("instructions", "What your devices and stores were told to do."),
    "instruction_event": ("instruction-steps", "What they reported."),
    "open_instruction": ("instructions-open", "What they still have to do, with its details."),
    "account": ("account", "Your account: name and language."),
    "account_session": ("sessions", "Your open logins."),
    "account_code": ("account-codes", "Recovery codes: that there are some, not what they say."),
    "passkey": ("passkeys", "Your passkeys: name, public key and use."),
    "federated_identity": ("identities", "Retailers through which you sign in."),
    "age_statement": ("age-band", "The age band that you stated."),
    "guardian_link": ("guardians", "Who is whose guardian, where you are one of both."),
    "signal_note": ("signals", "What your browsers signalled (Global Privacy Control)."),
}
LEFT_OUT: Final[Mapping[str, str]] = {
    "pairing_code": "lives for minutes and is only a code's hash",
    "guardian_code": "lives for minutes and is only a code's hash",
    "erasure": "exists only for somebody who was erased, and can export nothing any more",
    "erasure_rebuild": "the same",
}
WITHHELD: Final[Mapping[tuple[str, str], str]] = {
    ("shopper", "token_hash"): "the hash of a secret that you hold",
    ("device_token", "token_hash"): "the hash of a secret that your device holds",
    ("account", "password_hash"): "the hash of a secret that you know",
    ("account_session", "token_hash"): "the hash of a secret that your browser holds",
    ("account_code", "code_hash"): "the hash of a secret that you hold",
    ("discount_code", "code_hash"): "the hash of a secret that you hold",
    ("discount_code", "request_hash"): "the hash of a key that only tells repeats apart",
    ("rights_request", "request_hash"): "the hash of a key that only tells repeats apart",
    ("rights_request", "asked_hash"): "the hash of what the details say",
    ("federated_identity", "subject_hash"): "the hash of a name that the retailer has for you",
}
SHOWN: Final = frozenset(
    {
        ("log_key", "key"),  # hers: with it she recomputes her leaves
        ("passkey", "public_key"),
        ("passkey", "credential_id"),
        ("account_session", "credential"),
        ("participation_grant", "token_id"),
        ("committed_grant", "token_id"),
        ("code_use", "code_id"),
    }
)
_SECRET: Final = re.compile(
    r"hash|mac$|secret|token|password|handle|challenge|nonce|verifier|key|credential|code|pin$"
)


def sounds_secret(column: str) -> bool:
    """Whether a column's name is that of a secret."""
    return _SECRET.search(column) is not None


def goes_out(table: str, column: str) -> bool:
    """Whether a column is in the export."""
    place = (table, column)
    return place not in WITHHELD and (place in SHOWN or not sounds_secret(column))
