"""The tables of instructions: what clients were told, and what became of it.

Instructions and their history are never changed. What is still to be carried out lies in a queue of
its own, together with the details: a correction tells something about purchases, so it is deleted
as soon as it is of no more use, while the fact that there was one stays.
"""

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from consent.service.tables import APPEND_ONLY, BIG, ERASABLE, Base, Owner


class InstructionRow(Base, table=True):
    """One instruction to one client about one shopper, without its details.

    ``number`` counts the instructions to the client. ``epoch`` is that of the change of consent
    which caused it, ``request`` the request of hers; null where it was neither.
    """

    __tablename__ = "instruction"
    __table_args__ = (
        UniqueConstraint("client_id", "number"),
        Index("instruction_shopper", "shopper_id", "issued_at"),
    )

    id: str = Field(primary_key=True)
    client_id: str = Field(foreign_key="client.thumbprint")
    shopper_id: str = Field(foreign_key="shopper.id")
    number: int = Field(sa_type=BIG)
    kind: str
    cells: str
    epoch: int | None = None
    request: str | None = Field(default=None, index=True)
    issued_at: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG)


class InstructionEvent(Base, table=True):
    """A state that an instruction reached, with the client's signed report if it has one."""

    __tablename__ = "instruction_event"

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    instruction_id: str = Field(foreign_key="instruction.id", index=True)
    state: str
    time: int = Field(sa_type=BIG)
    report: bytes | None = None


class OpenInstruction(Base, table=True):
    """An instruction that is not finished, with its details; ``fetched`` once it was handed out."""

    __tablename__ = "open_instruction"
    __table_args__ = (Index("open_instruction_client", "client_id", "number"),)

    instruction_id: str = Field(foreign_key="instruction.id", primary_key=True)
    client_id: str = Field(foreign_key="client.thumbprint")
    number: int = Field(sa_type=BIG)
    expires_at: int = Field(sa_type=BIG, index=True)
    details: str
    fetched: bool = False


APPEND_ONLY.update({"instruction", "instruction_event"})
ERASABLE.update(
    {
        "instruction": Owner("OLD.shopper_id"),
        "instruction_event": Owner(
            "(SELECT shopper_id FROM instruction WHERE id = OLD.instruction_id)"
        ),
    }
)
