"""Uploads that a key holder leaves out, and handing uploads over."""

from dataclasses import replace

from crypto.ingest import Batch, Receipt, Submission
from crypto.upload import Role, sign_upload
from crypto.wire import SignedRecord, public_bytes
from tests.unit.crypto.keyholder.federation import (
    Federation,
    Sent,
    VotingRound,
    client_upload,
    grant_for,
)
from tests.unit.crypto.samples import generator, noised, signer


def hand(federation: Federation, made: VotingRound, *submissions: Submission) -> Receipt:
    batch = Batch(context=made.context, submissions=submissions)
    record = SignedRecord.from_bytes(federation.stations[1].ingest(batch))
    return Receipt.verify(record, federation.holder(1).identity.public_key())


def reasons(receipt: Receipt) -> list[str]:
    return [each.reason for each in receipt.excluded]


def forged(sent: Sent) -> Sent:
    return replace(sent, header=replace(sent.header, signature=bytes(64)))


def resigned(sent: Sent, name: str = "client 1", **changes: object) -> Sent:
    """The same header with fields changed and signed again, by its own key or another's."""
    body = sent.upload._body() | changes
    return replace(sent, header=SignedRecord.sign("upload", body, signer(name)))


def with_tokens(made: VotingRound, *tokens: str) -> Sent:
    return client_upload(made, "client 1", tokens=tokens)


def grant(made: VotingRound, **changes: object) -> Sent:
    return with_tokens(made, grant_for(made, signer("client 1"), "client 1", **changes))


def swapped_pieces(made: VotingRound) -> Sent:
    """Commitments to other pieces than the envelopes hold: a lie that two key holders can see."""
    sender, rng = public_bytes(signer("client 1").public_key()), generator("lie")
    seals = [
        made.scheme.seal(noised([0] * 16), sender=sender, rng=rng),
        made.scheme.seal(noised([9] * 16), sender=sender, rng=rng),
    ]
    lie = replace(seals[0], commitments=seals[1].commitments)
    return client_upload(made, "client 1", sealed=lie)


def anothers_seal(made: VotingRound) -> Sent:
    """A victim's sealed bytes under one's own header: they are bound to their sender."""
    victim = client_upload(made, "victim")
    return client_upload(made, "client 1", sealed=victim.sealed)


def pretender(made: VotingRound) -> Sent:
    """A client that calls itself a key holder, and needs no grant for that."""
    sealed = client_upload(made, "client 1").sealed
    header = sign_upload(sealed, (), signer("client 1"), role=Role.KEY_HOLDER)
    return Sent(header=header, sealed=sealed, grants=b"", shoppers=0)
