"""Pairing a device by a short code: the code, and the record with which a device answers it.

A shopper reads the code off the panel and types it at her device. The device signs it with its
identity key, so the record proves possession of that key; the code proves that she wants it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from consent.client_record import ClientRequest, get_issued_at, own_body
from consent.tasks.names import TaskName, parse_task_name
from consent.typed_codes import bare
from crypto.errors import WireError
from crypto.wire import SignedRecord, get_str, get_strings

RECORD_TYPE: Final = "pairing"
# Without 0 and O, 1, I and L: what people read off a screen and type.
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH: Final = 8
HANDLE: Final = 4  # of a code, by which it is found before the rest is compared
_CODE: Final = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_FIELDS: Final = {"code", "client_key", "tasks", "issued_at"}


@dataclass(frozen=True, kw_only=True)
class PairingRequest(ClientRequest):
    """A device answers a code.

    ``tasks`` are those that it will stand for; none named means all that no other device stands
    for by name.
    """

    RECORD_TYPE: ClassVar = RECORD_TYPE
    code: str
    tasks: tuple[TaskName, ...] = ()

    def stated(self) -> dict[str, Any]:
        """The code, and the tasks that it is for."""
        return {"code": self.code, "tasks": list(self.tasks)}

    @classmethod
    def parse(cls, record: SignedRecord) -> Self:
        """Read a request and check that the key it names signed it.

        Raises:
            WireError: malformed, an unknown field or task, a task named twice, text that is no
                code, or a signature that does not hold.
        """
        body, key = own_body(record, RECORD_TYPE, _FIELDS, what="A pairing request")
        return cls(
            code=as_typed(get_str(body, "code")),
            client_key=key,
            issued_at=get_issued_at(body),
            tasks=_tasks(get_strings(body, "tasks", max_count=len(TaskName))),
        )


def new_code(entropy: Callable[[int], bytes]) -> str:
    """A fresh code: LENGTH characters, each drawn uniformly (rejection, no remainder)."""
    usable = 256 - 256 % len(ALPHABET)
    code = ""
    while len(code) < LENGTH:
        code += "".join(ALPHABET[b % len(ALPHABET)] for b in entropy(LENGTH) if b < usable)
    return code[:LENGTH]


def as_typed(text: str) -> str:
    """A code as it is compared, from what somebody typed: spaces, dashes and case don't matter.

    Raises:
        WireError: not of the form of a code.
    """
    code = bare(text)
    if not _CODE.fullmatch(code):
        raise WireError(f"Field 'code': expected {LENGTH} letters and digits, as XXXX-XXXX.")
    return code


def _tasks(names: tuple[str, ...]) -> tuple[TaskName, ...]:
    tasks = tuple(parse_task_name(name) for name in names)
    if len(set(tasks)) != len(tasks):
        raise WireError("A pairing request names each task once.")
    return tasks
