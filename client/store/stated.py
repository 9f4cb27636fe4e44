"""What a store's shoppers state of themselves: groups for fairness audits, taken down for them.

The store takes down what each says, and nothing that it thinks it knows. It is kept as on a device
(``client.statements``): read only while she agrees to fairness audits with demographics, exported
and erased with everything else of hers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from client.holds import Holds
from client.home import ClientHome
from client.statements import NOTHING, Statements, check_answers, state_for
from client.store.lists import MembersList, Refused, twice
from consent.tasks.groups import GroupSchema
from crypto.errors import InvalidInputError

_STRANGER: Final = "this store does not stand for her; first: fedcart store enrol, or link"


@dataclass(frozen=True, kw_only=True)
class TakenDown:
    """What came of a list of answers.

    Attributes:
        shoppers: whose answers were taken.
        refused: rows that were not, each with its reason.
    """

    shoppers: int
    refused: tuple[Refused, ...]


def check_member(home: ClientHome, name: str) -> None:
    """Refuse a name of nobody whom the store stands for.

    Raises:
        InvalidInputError: it is one.
    """
    if name not in home.shoppers:
        raise InvalidInputError(f"{name!r}: {_STRANGER}.")


def take_down(
    home: ClientHome, name: str, answers: Mapping[str, str], *, schema: GroupSchema
) -> Statements:
    """Take answers of one shopper; ``NOTHING`` takes one back. All or none.

    Raises:
        InvalidInputError: the store does not stand for her, was told to use nothing of hers, or
            the list has no such attribute or group.
        ConsentError: what shoppers told the store can't be read.
    """
    why = _why_not(home, Holds.load(home), name, answers, schema)
    if why is not None:
        raise InvalidInputError(f"{name!r}: {why.removesuffix('.')}.")
    return state_for(home, name, answers, schema=schema)


def take_down_all(
    home: ClientHome,
    members: MembersList,
    *,
    schema: GroupSchema,
    skip_bad: bool = False,
    progress: Callable[[int, int], None],
) -> TakenDown:
    """Take the answers of many: each row is looked at before the first is written.

    An empty place leaves an earlier answer as it is. Each shopper's answers are written whole; a
    call that was cut off can be repeated.

    Args:
        home: the store's.
        members: a row a shopper, with attributes as columns.
        schema: the list of groups.
        skip_bad: take the others where some are refused; else nothing is.
        progress: told how many shoppers' answers are written, and of how many.

    Raises:
        ConsentError: what shoppers told the store can't be read.
    """
    holds = Holds.load(home)
    repeated = twice(members.entries, lambda each: each.name, what="this name")
    refused, good = list(members.refused), dict[str, dict[str, str]]()
    for each in members.entries:
        answers = {column: group for column, group in each.values.items() if group}
        why = repeated.get(each.line) or _why_not(home, holds, each.name, answers, schema)
        if why is None:
            good[each.name] = answers
        else:
            refused.append(Refused(line=each.line, name=each.name, reason=why))
    if refused and not skip_bad:
        return TakenDown(shoppers=0, refused=tuple(refused))
    stated = {name: answers for name, answers in good.items() if answers}
    for done, (name, answers) in enumerate(stated.items(), start=1):
        state_for(home, name, answers, schema=schema)
        progress(done, len(stated))
    return TakenDown(shoppers=len(stated), refused=tuple(refused))


def _why_not(
    home: ClientHome,
    holds: Holds,
    name: str,
    answers: Mapping[str, str],
    schema: GroupSchema,
) -> str | None:
    """Why these answers can't be taken. Taking answers back is always possible."""
    if name not in home.shoppers:
        return _STRANGER
    held = holds.refusal(name)
    if held is not None and set(answers.values()) != {NOTHING}:
        return f"nothing new is taken down: {held}"
    try:
        check_answers(answers, schema=schema)
    except InvalidInputError as error:
        return str(error)
    return None
