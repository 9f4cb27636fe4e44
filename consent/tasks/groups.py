"""Groups that shoppers may state of themselves: a public list of questions and answers.

An operator names the list in a task, and devices ask for nothing else. No answer is ever needed,
and each is coarse: a band, never a date of birth or a sum of money.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Self

from crypto.errors import InvalidInputError, WireError

MAX_ATTRIBUTES: Final = 8
MAX_GROUPS: Final = 24
MAX_TEXT: Final = 60


@dataclass(frozen=True)
class GroupSchema:
    """Attributes, each with the groups that it may be.

    Attributes:
        name: of the list; statements made under another list are not used.
        attributes: attribute to its groups, in the order in which they are asked.
    """

    name: str
    attributes: Mapping[str, tuple[str, ...]] = field(hash=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.attributes) <= MAX_ATTRIBUTES:
            raise InvalidInputError(
                f"A list of groups has 1 to {MAX_ATTRIBUTES} attributes, "
                f"not {len(self.attributes)}."
            )
        for attribute, groups in self.attributes.items():
            if not 2 <= len(set(groups)) == len(groups) <= MAX_GROUPS:
                raise InvalidInputError(
                    f"Attribute {attribute!r} has {len(groups)} groups; expected 2 to "
                    f"{MAX_GROUPS} different ones."
                )
            if any(not 0 < len(text) <= MAX_TEXT for text in (attribute, *groups)):
                raise InvalidInputError(
                    f"Attribute {attribute!r}: names have 1 to {MAX_TEXT} characters."
                )
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))

    def check(self, attribute: str, group: str) -> None:
        """Refuse an answer that the list does not have.

        Raises:
            InvalidInputError: the message lists those that it has.
        """
        groups = self.attributes.get(attribute)
        if groups is None:
            raise InvalidInputError(
                f"Unknown attribute {attribute!r}; there are {', '.join(self.attributes)}."
            )
        if group not in groups:
            raise InvalidInputError(
                f"{attribute} can't be {group!r}; it is one of {', '.join(groups)}."
            )

    def to_json(self) -> dict[str, Any]:
        """As it stands in a task; attributes as a list, so that their order stays."""
        listed = [[name, list(groups)] for name, groups in self.attributes.items()]
        return {"name": self.name, "attributes": listed}

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read a list of groups; WireError where it is none."""
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            raise WireError("A list of groups has a name and attributes.")
        listed = body.get("attributes")
        if not isinstance(listed, list) or not all(map(_is_attribute, listed)):
            raise WireError("Attributes of a list of groups are pairs of a name and its groups.")
        attributes = {name: tuple(groups) for name, groups in listed}
        if len(attributes) != len(listed):
            raise WireError("A list of groups names an attribute twice.")
        try:
            return cls(body["name"], attributes)
        except InvalidInputError as error:
            raise WireError(str(error)) from error


def _is_attribute(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], list)
        and all(isinstance(group, str) for group in value[1])
    )


# What a device asks for where the operator names no other list. Incomes are places in the order of
# a country's households, so that no currency is needed.
DEFAULT_SCHEMA: Final = GroupSchema(
    "fedcart-1",
    {
        "age": ("18-24", "25-34", "35-44", "45-54", "55-64", "65+"),
        "household-size": ("1", "2", "3", "4", "5+"),
        "income": ("lowest-fifth", "second-fifth", "middle-fifth", "fourth-fifth", "top-fifth"),
    },
)
