"""What a shopper states of herself: groups she may name for fairness audits, kept on this device.

Nobody asks for it, nothing depends on it, and each answer is coarse and from a public list. It is
read only under her grant of demographics for fairness audits, and leaves only as a place in a sum
over many shoppers, under its noise. It is exported and erased with everything else of hers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from client.home import ClientHome
from consent.admit import ConsentedEvents
from consent.purpose import Category, Purpose
from consent.tasks.fairness import FairnessTask
from consent.tasks.groups import DEFAULT_SCHEMA, GroupSchema
from consent.tasks.task import Task
from crypto.errors import InvalidInputError, WireError
from crypto.secret_file import read_secret, write_secret
from crypto.wire import get_str, parse_object

# As an answer, it takes an earlier one back.
NOTHING: Final = "nothing"


@dataclass(frozen=True, kw_only=True)
class Statements:
    """One shopper's answers.

    Attributes:
        schema: name of the list that they are from.
        groups: attribute to the group that she stated; what she did not answer is not there.
    """

    schema: str
    groups: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Both fields."""
        return {"schema": self.schema, "groups": dict(self.groups)}

    @classmethod
    def from_bytes(cls, data: bytes, *, what: str) -> Self:
        """Read what was written.

        Raises:
            InvalidInputError: it is damaged.
        """
        body = parse_object(data, what=what)
        groups = body.get("groups")
        if not isinstance(groups, dict) or not all(isinstance(g, str) for g in groups.values()):
            raise InvalidInputError(f"{what}: expected attributes and groups. State them again.")
        return cls(schema=get_str(body, "schema"), groups=MappingProxyType(dict(groups)))


def read_statements(home: ClientHome, identifier: str) -> Statements | None:
    """What the shopper of this id stated; None where she stated nothing.

    Raises:
        InvalidInputError: the file is damaged.
    """
    path = _path(home, identifier)
    if not path.exists():
        return None
    return Statements.from_bytes(read_secret(path), what=str(path))


def stated_by(home: ClientHome, shopper: str, schema: GroupSchema) -> dict[str, str]:
    """A shopper's answers to one list, by her name at a client; none where she stated nothing.

    Raises:
        InvalidInputError: the file is damaged.
    """
    found = read_statements(home, home.shoppers[shopper])
    return dict(found.groups) if found is not None and found.schema == schema.name else {}


def state(
    home: ClientHome, answers: Mapping[str, str], *, schema: GroupSchema = DEFAULT_SCHEMA
) -> Statements:
    """Take answers of the device's shopper; ``NOTHING`` takes one back. All or none.

    Raises:
        InvalidInputError: the list has no such attribute or group, or the device was forgotten.
    """
    shopper, _ = home.shopper, home.token
    return state_for(home, shopper, answers, schema=schema)


def state_for(
    home: ClientHome, shopper: str, answers: Mapping[str, str], *, schema: GroupSchema
) -> Statements:
    """Take answers of a shopper by her name at a client, such as those she gave at a till.

    Answers that were given under another list are dropped: they mean nothing under this one.

    Raises:
        InvalidInputError: the list has no such attribute or group.
    """
    identifier = home.shoppers[shopper]
    check_answers(answers, schema=schema)
    earlier = read_statements(home, identifier)
    kept = dict(earlier.groups) if earlier is not None and earlier.schema == schema.name else {}
    groups = {name: group for name, group in {**kept, **answers}.items() if group != NOTHING}
    made = Statements(schema=schema.name, groups=groups)
    _write(_path(home, identifier), made)
    return made


def check_answers(answers: Mapping[str, str], *, schema: GroupSchema) -> None:
    """Refuse answers that a list does not have; ``NOTHING`` is one to every attribute.

    Raises:
        InvalidInputError: the list has no such attribute or group.
    """
    for attribute, group in answers.items():
        any_group = schema.attributes.get(attribute, ("",))[0]
        schema.check(attribute, any_group if group == NOTHING else group)


def stated_for(
    task: Task, events: ConsentedEvents, home: ClientHome, shopper: str
) -> dict[str, str]:
    """What a task may read of a shopper's statements: nothing, unless it is an audit she granted.

    Args:
        task: what is computed.
        events: hers as admitted for it; their purpose and categories decide.
        home: where she made her statements.
        shopper: her name there.
    """
    granted = events.purpose is Purpose.FAIRNESS and Category.DEMOGRAPHICS in events.categories
    if not granted or not isinstance(task, FairnessTask):
        return {}
    return stated_by(home, shopper, task.schema)


def statement_files(home: ClientHome, identifier: str) -> list[Path]:
    """The file with a shopper's statements, and what a write that was cut off has left."""
    path = _path(home, identifier)
    return [each for each in (path, _draft(path)) if each.exists()]


def load_schema(path: Path) -> GroupSchema:
    """An operator's list of groups.

    Raises:
        InvalidInputError: it can't be read, or is none.
    """
    try:
        return GroupSchema.parse(parse_object(path.read_bytes(), what=str(path)))
    except (OSError, WireError) as error:
        raise InvalidInputError(f"{path} is no list of groups: {error}") from error


def _path(home: ClientHome, identifier: str) -> Path:
    return home.path / "statements" / f"{identifier}.json"


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.draft")


def _write(path: Path, statements: Statements) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = _draft(path)
    draft.unlink(missing_ok=True)
    write_secret(draft, json.dumps(statements.to_json(), ensure_ascii=False).encode())
    draft.replace(path)
