"""All that a contribution may be computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from client.contributions.history import History
from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.names import TaskName


@dataclass(frozen=True, kw_only=True, repr=False)
class Inputs:
    """One shopper's history, and what is public.

    Attributes:
        history: from the events that she granted for the task's purpose.
        catalogue: the public item list.
        artefacts: released ones that the task builds on.
        groups: what she stated of herself and granted for the task's purpose, e.g. {"age": "65+"}.
    """

    history: History
    catalogue: Catalogue
    artefacts: Mapping[TaskName, Artefact] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
