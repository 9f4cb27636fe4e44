"""A small two-tower ranker of the next basket.

One tower turns what a shopper bought before into a vector, the other has a vector for every item;
an item's vector is its own plus its group's (a public property, such as its category), so that an
item without sales is not without a vector. Her own habits are not learned: they come in as a fixed
offset on her side, cost no privacy, and leave the parameters to what shoppers share.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from client.contributions.history import FloatArray, IndexArray
from consent.tasks.catalogue import Catalogue

_SEED: Final = 20_260_101  # of the first weights: public, and the same everywhere


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a model is made for; public.

    Attributes:
        group: int64, shape (items,): each item's group.
        width: of the vectors.
        habit: weight of her own habits in the logits.
        floor: what an item counts that she never bought; larger is bolder.
        trust: how soon her own habit outweighs what is shared: its part of an item's logit is
            divided by one plus this many times her decayed count.
    """

    group: IndexArray
    width: int = 16
    habit: float = 1.0
    floor: float = 0.05
    trust: float = 4.0

    @property
    def items(self) -> int:
        """Number of items."""
        return int(self.group.size)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.group.max()) + 1

    @property
    def dimension(self) -> int:
        """Number of parameters."""
        return 2 * self.width * (self.items + self.groups) + self.items

    @classmethod
    def of(cls, catalogue: Catalogue, **changes: Any) -> "Shape":
        """For a catalogue, its categories being the groups."""
        _, group = np.unique(np.array(catalogue.categories, dtype=str), return_inverse=True)
        return cls(group=group.astype(np.int64), **changes)


class NextBasket(nn.Module):
    """The model. It maps decayed counts, shape (shoppers, baskets, items), to logits of that shape.

    Only plain linear layers, each used once: Opacus then knows every shopper's gradient norm
    without making her gradient (ghost clipping).
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.encode_items = nn.Linear(shape.items, shape.width, bias=False)
        self.encode_groups = nn.Linear(shape.groups, shape.width, bias=False)
        self.decode_items = nn.Linear(shape.width, shape.items)
        self.decode_groups = nn.Linear(shape.width, shape.groups, bias=False)
        # Encoders begin as random projections, decoders at zero: the first scores are habits alone.
        generator = torch.Generator().manual_seed(_SEED)
        for layer in (self.encode_items, self.encode_groups):
            nn.init.normal_(layer.weight, generator=generator)
        for parameter in (*self.decode_items.parameters(), self.decode_groups.weight):
            nn.init.zeros_(parameter)

    def forward(self, before: Tensor) -> Tensor:
        """Logits of every item."""
        group = torch.as_tensor(self.shape.group, device=before.device)
        taste = before / before.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        grouped = taste.new_zeros((*taste.shape[:-1], self.shape.groups))
        grouped = grouped.index_add(-1, group, taste)
        vector = torch.tanh(self.encode_items(taste) + self.encode_groups(grouped))
        shared = self.decode_items(vector) + self.decode_groups(vector).index_select(-1, group)
        habits = self.shape.habit * torch.log(before + self.shape.floor)
        logits: Tensor = habits + shared / (1.0 + self.shape.trust * before)
        return logits


def losses(model: nn.Module, before: Tensor, wanted: Tensor) -> Tensor:
    """Each shopper's loss, shape (shoppers,): cross entropy, averaged over her foretold baskets."""
    surprise = -(wanted * torch.log_softmax(model(before), dim=-1)).sum(dim=-1)
    told = (wanted.sum(dim=-1) > 0).sum(dim=-1).clamp(min=1)
    return surprise.sum(dim=-1) / told


def weights_of(model: nn.Module) -> FloatArray:
    """All parameters as one vector, float64, shape (dimension,)."""
    return parameters_to_vector(model.parameters()).detach().cpu().numpy().astype(np.float64)


def set_weights(model: nn.Module, weights: FloatArray) -> None:
    """Put a vector of ``weights_of`` in the place of all parameters."""
    first = next(model.parameters())
    vector = torch.as_tensor(weights, dtype=first.dtype, device=first.device)
    vector_to_parameters(vector, model.parameters())
