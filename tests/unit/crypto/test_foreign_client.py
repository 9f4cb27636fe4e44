"""A client that shares no code with fedcart, in a round with real key holders and our clients."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crypto.ballot import release_hash
from crypto.dp.noise import holder_noise
from crypto.dp.plan import PrivacyPlan
from crypto.dp.rounding import squared_l2_bound
from crypto.invitation import Invitation
from crypto.opening import decode_part
from crypto.sums.schemes import Scheme
from crypto.update import PartSum, SealedUpdate
from crypto.upload import Upload
from crypto.wire import SignedRecord, unpack_frames
from tests.foreign.client import ForeignClient, Pins
from tests.foreign.client import Upload as ForeignUpload
from tests.foreign.encoding import RefusedError
from tests.foreign.vector import gaussian_table, sample, skellam_table
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    POPULATION,
    Federation,
    IntArray,
    Ready,
    Sent,
    VotingRound,
    client_upload,
    grant_for,
)
from tests.unit.crypto.samples import NOW, generator, plan, signer

FOREIGN = Path(__file__).parents[2] / "foreign"
PLAN = plan(
    scheme=Scheme.COMPACT_SUM, min_clients=2, max_clients=6, max_colluders=0, noise_multiplier=1.0
)


def foreign(federation: Federation, name: str = "foreign") -> ForeignClient:
    first, second, third = (federation.holder(k).identity.public_key() for k in NUMBERS)
    pins = Pins(
        coordinator=signer("coordinator").public_key(),
        consent=signer("consent").public_key(),
        holders=(first, second, third),
        population=POPULATION,
        n_floor=2,
        z_floor=0.5,
    )
    return ForeignClient(signer(name), pins)


def invited(made: VotingRound) -> bytes:
    return Invitation(manifest=made.record, round_keys=made.keys, accepts=made.accepts).to_bytes()


def as_sent(made: VotingRound, upload: ForeignUpload, shoppers: int) -> Sent:
    """The foreign bytes as the coordinator reads them."""
    header = SignedRecord.from_bytes(upload.header)
    parsed = Upload.parse(header)
    sealed = SealedUpdate(
        scheme=parsed.scheme,
        context=made.context,
        shares=tuple(upload.sealed.shares),
        body=upload.sealed.body,
        commitments=tuple(upload.sealed.commitments),
    )
    parsed.check_sealed(sealed)
    made.scheme.check(sealed)
    return Sent(
        header=header,
        sealed=sealed,
        grants=upload.grants,
        shoppers=shoppers,
        values=np.array(upload.values, dtype=np.int64),
    )


def foreign_upload(made: VotingRound, client: ForeignClient, *, shoppers: int = 1) -> Sent:
    joined = client.check(invited(made), now=NOW)
    tokens = [grant_for(made, client.key, f"foreign/{number}") for number in range(shoppers)]
    vectors = [[0.5, *[0.25] * 11], [100.0, -3.0, *[0.0] * 10]][:shoppers]
    return as_sent(made, client.contribute(joined, vectors, tokens), shoppers)


def released(federation: Federation, ready: Ready) -> list[PartSum]:
    votes = federation.votes(ready)
    return [
        decode_part(
            federation.stations[number].release(votes),
            request_hash=release_hash(votes),
            identity=federation.holder(number).identity.public_key(),
        )
        for number in NUMBERS
    ]


def entries_of(made: PrivacyPlan) -> IntArray:
    """The noise of the three entries: the first that each station's stream gives."""
    drawn = [holder_noise(plan=made, rng=generator(f"holder {k}")).values for k in NUMBERS]
    total: IntArray = np.sum(drawn, axis=0)
    return total


def test_it_shares_no_code_with_fedcart() -> None:
    allowed = {
        *("ast", "base64", "bisect", "collections", "cryptography", "dataclasses", "decimal"),
        *("functools", "hashlib", "json", "math", "secrets", "struct", "tests", "typing"),
    }
    for path in FOREIGN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                assert name.split(".")[0] in allowed, f"{path}: {name}"
                assert not name.startswith("tests.") or name.startswith("tests.foreign")


def test_key_holders_take_it_and_the_sum_is_exact(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path, n_floor=2)
    made = federation.accepted(plan=PLAN)
    theirs = foreign_upload(made, foreign(federation), shoppers=2)
    ours = [client_upload(made, f"client {number}") for number in range(2)]
    entries = federation.entries(made)
    federation.ingest_all(made, [theirs, *ours, *entries])
    ready = Ready(made=made, clients=(theirs, *ours), entries=tuple(entries))
    parts = released(federation, ready)
    total = made.scheme.add(sent.sealed for sent in (theirs, *ours, *entries))
    expected = ready.expected() + entries_of(PLAN)
    for absent in range(3):
        two = parts[:absent] + parts[absent + 1 :]
        assert np.array_equal(made.scheme.combine(total, two), expected)


def test_its_bytes_are_as_long_as_ours(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path, n_floor=2)
    made = federation.accepted(plan=PLAN)
    theirs = foreign_upload(made, foreign(federation))
    ours = client_upload(made, "client")
    assert len(theirs.header.to_bytes()) == len(ours.header.to_bytes())
    assert [*map(len, theirs.sealed.shares)] == [*map(len, ours.sealed.shares)]
    assert len(theirs.sealed.body) == len(ours.sealed.body)
    assert len(theirs.grants) == len(ours.grants)


def test_a_foreign_client_that_errs_is_excluded(tmp_path: Path) -> None:
    """The control: what is not the protocol is not taken, in this very round."""
    federation = Federation.make(tmp_path, n_floor=2)
    made = federation.accepted(plan=PLAN)
    client = foreign(federation)
    joined = client.check(invited(made), now=NOW)
    other = replace(joined, context="00" * 32)
    token = grant_for(made, client.key, "foreign")
    upload = client.contribute(other, [[1.0] * 12], [token])
    header = SignedRecord.from_bytes(upload.header)
    sealed = SealedUpdate(
        scheme="compact-sum", context="00" * 32, shares=tuple(upload.sealed.shares)
    )
    sent = Sent(header=header, sealed=sealed, grants=upload.grants, shoppers=1)
    receipt = federation.ingest(1, made, [sent])
    assert receipt.acknowledged == ()
    (excluded,) = receipt.excluded
    assert excluded.reason == "its header is for another round or scheme"


def test_it_refuses_what_its_pins_refuse(tmp_path: Path) -> None:
    federation = Federation.make(tmp_path, n_floor=2)
    made = federation.accepted(plan=PLAN)
    client = foreign(federation)
    good = invited(made)
    assert client.check(good, now=NOW).context == made.context
    frames = unpack_frames(good, count=7, max_frame=1 << 20)
    swapped = Invitation(
        manifest=made.record,
        round_keys=(made.keys[1], made.keys[0], made.keys[2]),
        accepts=made.accepts,
    ).to_bytes()
    again = Invitation(
        manifest=made.record, round_keys=made.keys, accepts=(made.accepts[0],) * 3
    ).to_bytes()
    by_another = Invitation(
        manifest=made.manifest.sign(signer("mallory")),
        round_keys=made.keys,
        accepts=made.accepts,
    ).to_bytes()
    for bad in (swapped, again, by_another, good[:-1], good + b"x", b"", b"".join(frames)):
        with pytest.raises(RefusedError):
            client.check(bad, now=NOW)
    for changed in ({"n_floor": 3}, {"z_floor": 1.5}, {"population": "other"}):
        stricter = replace(client, pins=replace(client.pins, **changed))
        with pytest.raises(RefusedError):
            stricter.check(good, now=NOW)
    with pytest.raises(RefusedError, match="another time"):
        client.check(good, now=made.manifest.closes)
    cheap = Invitation(
        manifest=replace(made.manifest, epsilon=1.0).sign(signer("coordinator")),
        round_keys=made.keys,
        accepts=made.accepts,
    )
    with pytest.raises(RefusedError, match="another ε"):
        client.check(cheap.to_bytes(), now=NOW)


def test_its_noise_is_what_the_guide_says() -> None:
    """Its own samplers, not ours: mean and variance of both, and how far they reach."""
    gauss = np.array(sample(gaussian_table(8.0), 20_000))
    assert np.std(gauss) == pytest.approx(8.0, rel=0.03)
    variance = squared_l2_bound(1024, 16) / 2
    noise = np.array(sample(skellam_table(variance), 20_000), dtype=np.float64)
    assert np.var(noise) == pytest.approx(variance, rel=0.05)
    for drawn in (gauss, noise):
        assert abs(np.mean(drawn)) < 5 * np.std(drawn) / 20_000**0.5
