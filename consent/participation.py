"""The request to take part in a round: a client names its shoppers and proves its key.

The record is signed by the client's own key, which its body names, so it proves possession of
that key and nothing else. Whether the shoppers belong to that client, and whether they agreed, is
for the consent service to judge.
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from consent.client_record import ClientRequest, get_issued_at, own_body
from consent.tasks.names import TaskName, parse_task_name
from crypto.errors import WireError
from crypto.wire import SignedRecord, get_str, get_strings

RECORD_TYPE: Final = "participation"
MAX_SHOPPERS: Final = 10_000
# Names that appear in URLs, logs and signed records: round ids, contexts, notice versions.
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
_NAME: Final = re.compile(NAME_PATTERN)
_FIELDS: Final = {"task", "round", "context", "client_key", "issued_at", "shoppers"}


@dataclass(frozen=True, kw_only=True)
class ParticipationRequest(ClientRequest):
    """A client asks for grants of one round."""

    RECORD_TYPE: ClassVar = RECORD_TYPE
    task: TaskName
    round_id: str
    context: str
    shoppers: tuple[str, ...]

    def stated(self) -> dict[str, Any]:
        """What it asks for, and for whom."""
        return {
            "task": self.task,
            "round": self.round_id,
            "context": self.context,
            "shoppers": list(self.shoppers),
        }

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a request and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown task or field, a shopper named twice, no shoppers or
                more than MAX_SHOPPERS, or a signature that does not hold.
        """
        body, key = own_body(record, RECORD_TYPE, _FIELDS, what="A participation request")
        shoppers = get_strings(body, "shoppers", max_count=MAX_SHOPPERS)
        if not shoppers or len(set(shoppers)) != len(shoppers):
            raise WireError("A participation request names at least one shopper, each once.")
        return cls(
            task=parse_task_name(get_str(body, "task")),
            round_id=parse_name(body, "round"),
            context=parse_name(body, "context"),
            client_key=key,
            issued_at=get_issued_at(body),
            shoppers=tuple(_checked(shopper, "shoppers") for shopper in shoppers),
        )


def is_name(text: str) -> bool:
    """Whether a text is of the form NAME_PATTERN, all of it."""
    return _NAME.fullmatch(text) is not None


def parse_name(body: dict[str, Any], field: str) -> str:
    """Read a name.

    Raises:
        WireError: it is of another form.
    """
    return _checked(get_str(body, field), field)


def _checked(text: str, field: str) -> str:
    if not is_name(text):
        raise WireError(f"Field {field!r}: expected letters, digits and ._:- , 1 to 128 of them.")
    return text
