"""The columnar shape of purchase events that every party agrees on.

Rows are purchase lines. This shape carries *raw* data: only the client that owns it and the
simulations that play many clients hold one, and a contribution is computed from
``consent.admit.ConsentedEvents`` alone.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from crypto.errors import InvalidInputError

StringArray = npt.NDArray[np.object_]


@dataclass(frozen=True, kw_only=True)
class Events:
    """Purchase lines of one or more shoppers, columns of equal length, sorted by shopper and time.

    Attributes:
        shopper: str objects, shape (n,): the owner of each line.
        time: int64, shape (n,): Unix seconds (the shop's local time read as UTC).
        basket: str objects, shape (n,): lines of one visit share it.
        item: str objects, shape (n,): the item as the till knows it (finest level).
        quantity: float64, shape (n,).
        price: float64, shape (n,): paid for the line, in the shop's currency; NaN where unknown.
        store: str objects, shape (n,): empty where unknown.
    """

    shopper: StringArray
    time: npt.NDArray[np.int64]
    basket: StringArray
    item: StringArray
    quantity: npt.NDArray[np.float64]
    price: npt.NDArray[np.float64]
    store: StringArray

    def __post_init__(self) -> None:
        sizes = {field.name: getattr(self, field.name).shape for field in fields(self)}
        if len(set(sizes.values())) != 1:
            raise InvalidInputError(f"Event columns differ in length: {sizes}.")
        for field in fields(self):
            getattr(self, field.name).flags.writeable = False

    def __len__(self) -> int:
        return int(self.time.size)

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Self:
        """The lines at the given positions or under the given mask."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def empty(cls) -> Self:
        """No lines at all."""
        text = np.empty(0, dtype=object)
        number = np.empty(0)
        return cls(
            shopper=text.copy(),
            time=np.empty(0, dtype=np.int64),
            basket=text.copy(),
            item=text.copy(),
            quantity=number.copy(),
            price=number.copy(),
            store=text.copy(),
        )
