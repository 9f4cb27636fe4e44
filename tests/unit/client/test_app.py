"""The Flower app: what it tells the coordinator when it does not take part."""

import pytest
from flwr.app import ConfigRecord, RecordDict

from client.home import ClientHome
from crypto.errors import ConsentError, FedcartError, RoundError, WireError
from server.exchange import ask
from simulations.engine.grid import InProcessGrid
from tests.unit.client.stage import Party, make_manifest, sign


@pytest.fixture
def home(device: Party) -> ClientHome:
    return device.home


def answer(home: ClientHome, manifest: bytes) -> ConfigRecord:
    content = RecordDict({"round": ConfigRecord({"manifest": manifest})})
    grid = InProcessGrid({2: {"home": str(home.path)}})
    [reply] = ask(grid, [2], "train.contribute", content, timeout=5.0)
    assert isinstance(reply.content, RecordDict)
    return reply.content.config_records["upload"]


def test_it_says_which_pin_a_manifest_breaks(home: ClientHome) -> None:
    said = answer(home, sign(make_manifest(population="other")).to_bytes())
    assert said == {
        "status": "declined",
        "reason": "This client refuses the round: its manifest has another population.",
    }


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RoundError, "RoundError"),
        (FedcartError, "FedcartError"),
        (WireError, "WireError"),
        (ConsentError, "consent"),
    ],
)
def test_it_names_nothing_of_its_own(
    home: ClientHome,
    monkeypatch: pytest.MonkeyPatch,
    error: type[FedcartError],
    reason: str,
) -> None:
    def failing(*_: object) -> None:
        raise error(f"The register {home.register} of {home.shoppers} can't be written.")

    monkeypatch.setattr("client.app.contribute", failing)
    said = answer(home, sign(make_manifest()).to_bytes())
    assert said == {"status": "declined", "reason": reason}
