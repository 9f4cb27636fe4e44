"""A shopper's device at the command line, and the corner shop it buys from."""

import json
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.connection import connect, unmount
from client.home import ClientHome
from consent.tasks.artefact import encode_artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.names import TaskName
from consent.tasks.popularity import PopularityArtefact, PopularityTask
from crypto.dp.plan import PrivacyPlan
from crypto.holder_card import parse_card
from crypto.wire import b64, public_bytes
from server.rounds import RoundPlace, RoundTerms, plan_round
from tests.unit.commands import Outcome, fedcart

URL = "http://consent.test"
COLUMNS = ("--shopper", "card", "--item", "article", "--time", "date")
ITEMS = ("bread", "coffee", "milk", "tea")
PURCHASES = """card,article,date,branch
c7,milk,2024-03-01T09:00:00,north
c7,bread,2024-03-01T09:00:00,north
c7,milk,2024-03-04T18:30:00,north
c7,batteries,2024-03-05,south
"""


@dataclass
class Shop:
    """A consent service, key holders' cards, an item list, and a shopper's file."""

    folder: Path
    consent_key: str
    coordinator: Ed25519PrivateKey
    cards: list[Path]
    catalogue: Catalogue

    @property
    def home(self) -> Path:
        return self.folder / "device"

    @property
    def releases(self) -> Path:
        return self.folder / "releases"

    def setup(self, **changed: object) -> list[str | Path]:
        options: dict[str, object] = {
            "home": self.home,
            "consent-url": URL,
            "consent-key": self.consent_key,
            "coordinator-key": b64(public_bytes(self.coordinator.public_key())),
            "catalogue": self.folder / "catalogue.json",
            "key-holder": self.cards,
        } | {key.replace("_", "-"): value for key, value in changed.items()}
        words: list[str | Path] = []
        for key, value in options.items():
            for each in value if isinstance(value, list) else [value]:
                words += [f"--{key}", str(each)]
        return words

    def init(self, *choices: str, **changed: object) -> Outcome:
        return fedcart("device", "init", *self.setup(**{"age_band": "adult", **changed}), *choices)

    def enrolled(self, *choices: str) -> ClientHome:
        made = self.init(*(choices or ("--personalise", "--train")))
        assert made.code == 0, made.said
        return ClientHome.load(self.home)

    def import_(self, text: str = PURCHASES, *more: str) -> Outcome:
        file = self.folder / "mine.csv"
        file.write_text(text)
        return fedcart("device", "import", file, "--home", self.home, *COLUMNS, *more)

    def recommend(self, *more: str) -> Outcome:
        return fedcart(
            "device", "recommend", "--home", self.home, "--releases", self.releases, *more
        )

    def choose(self, *words: str) -> Outcome:
        return fedcart("device", "choose", *words, "--home", self.home)

    def states(self) -> dict[tuple[str, str], str]:
        shown = fedcart("device", "choices", "--home", self.home, "--json")
        assert shown.code == 0, shown.said
        cells = json.loads(shown.out)["choices"]
        return {(cell["purpose"], cell["category"]): cell["state"] for cell in cells}

    def release(self, *best: str, folder: str = "popularity/1", catalogue: str = "") -> Path:
        place = self.releases / folder
        place.mkdir(parents=True)
        scores = np.array([1.0 if item in best else 0.1 for item in self.catalogue.items])
        artefact = PopularityArtefact(
            task=TaskName.POPULARITY, catalogue=catalogue or self.catalogue.hash, scores=scores
        )
        (place / "artefact.json").write_bytes(encode_artefact(artefact))
        return place

    def manifest(self, place: Path, *, opens: int, key: Ed25519PrivateKey | None = None) -> None:
        plan = PrivacyPlan(
            dimension=len(self.catalogue),
            clipping_norm=1.0,
            noise_multiplier=1.0,
            min_clients=20,
            max_clients=20,
            max_shoppers=20,
            max_colluders=0,
            delta=1e-5,
        )
        terms = RoundTerms(
            population="fedcart",
            catalogue=self.catalogue.hash,
            cards=tuple(parse_card(file.read_bytes(), what=str(file)) for file in self.cards),
        )
        planned = plan_round(
            PopularityTask(items=len(self.catalogue)),
            plan,
            place=RoundPlace(round_id=place.name, opens=opens, closes=opens + 60),
            terms=terms,
            key=key or self.coordinator,
        )
        (place / "manifest.json").write_bytes(planned.record.to_bytes())


def go_away() -> None:
    connect(URL).close()
    unmount(URL)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"consent", "catalogue.json"}
