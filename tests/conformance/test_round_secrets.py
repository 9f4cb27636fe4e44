"""What a key holder forgets: the secrets of rounds, once they are over, from all of its disk."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto.errors import RoundError
from crypto.round_times import VOTING_GRACE_S
from crypto.sums.pieces.open import SECRET_BYTES
from tests.conformance.clients import manifest_of
from tests.conformance.holders import NUMBERS, Holder
from tests.conformance.rounds import World


def traces(holder: Holder, secret: bytes) -> list[str]:
    """Files of its home with any 32 bytes of a secret in them, raw or as text."""
    assert len(secret) == SECRET_BYTES
    needles = list(_needles(secret))
    files = holder.files()
    return sorted(
        str(path.relative_to(holder.home))
        for path, data in files.items()
        if any(needle in data for needle in needles)
    )


def _needles(secret: bytes) -> Iterator[bytes]:
    for start in range(0, len(secret), 32):
        part = secret[start : start + 32]
        yield part
        yield part.hex().encode()
        yield part.hex().upper().encode()
        for shift in range(3):
            # Base64 of a part that begins anywhere in a longer text: without its uneven ends.
            text = base64.b64encode(bytes(shift) + part)[4:-4]
            yield text
            yield text.replace(b"+", b"-").replace(b"/", b"_")


def secrets_of(world: World, round_id: str) -> dict[int, bytes]:
    """The key holders' secrets of a round that stands right before its release; all on disk."""
    for number in NUMBERS:
        world.holders[number].dies_before("/v1/release")
    with pytest.raises(RoundError, match="0 of 3"):
        world.run(round_id)
    names = manifest_of(world.record(round_id, "manifest.json")).key_hashes
    found = {}
    for number, holder in world.holders.items():
        name = names[number - 1]
        found[number] = holder.secrets[name]
        assert traces(holder, found[number]) == [f"rounds/{name}/secret.key"]
    return found


def test_the_search_finds_secrets_in_every_form(compact: World, round_id: str) -> None:
    secret = secrets_of(compact, round_id)[1]
    holder = compact.holders[1]
    forms = [
        secret[64:],
        b"x" + secret[:40],
        secret.hex().encode(),
        base64.b64encode(b"ab" + secret),
        base64.urlsafe_b64encode(b"a" + secret),
    ]
    for form in forms:
        (holder.home / "planted").write_bytes(b"before " + form + b" after")
        assert "planted" in traces(holder, secret)
    (holder.home / "planted").unlink()


def test_gone_after_the_release(voted: World, round_id: str, tmp_path: Path) -> None:
    """Written over before it was unlinked: another name of the same file shows zeros."""
    secrets = secrets_of(voted, round_id)
    for number, holder in voted.holders.items():
        [file] = holder.home.glob("rounds/*/secret.key")
        (tmp_path / f"{number}").hardlink_to(file)
    voted.restart()
    voted.check(voted.run(round_id))
    for number, holder in voted.holders.items():
        assert traces(holder, secrets[number]) == []
        assert not list((holder.home / "rounds").iterdir())
        assert (tmp_path / f"{number}").read_bytes() == bytes(SECRET_BYTES)


@pytest.mark.parametrize("restarted", [True, False], ids=["at a start", "at a request"])
def test_gone_after_the_deadline(compact: World, round_id: str, restarted: bool) -> None:
    """Never released, never to be: the charge stays, and nobody can open the uploads any more."""
    secrets = secrets_of(compact, round_id)
    if not restarted:
        compact.restart()
    closes = manifest_of(compact.record(round_id, "manifest.json")).closes
    compact.stage.clock.now = closes + VOTING_GRACE_S
    if restarted:
        compact.restart()
    else:
        with pytest.raises(RoundError, match="aborted"):
            compact.run(round_id)
    for number, holder in compact.holders.items():
        assert traces(holder, secrets[number]) == []
    with pytest.raises(RoundError, match=r"0 of 3.*aborted"):
        compact.run(round_id)
    compact.nothing_released(round_id, spent=True)


def test_a_round_that_went_on_is_not_forgotten_early(compact: World, round_id: str) -> None:
    """One second before the deadline it is still released."""
    secrets_of(compact, round_id)
    closes = manifest_of(compact.record(round_id, "manifest.json")).closes
    compact.stage.clock.now = closes + VOTING_GRACE_S - 1
    compact.restart()
    compact.check(compact.run(round_id))
