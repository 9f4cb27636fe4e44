"""Clients that do all that real ones do, but contribute integers that are known to the test."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from client.app import _sent
from client.outbox import Contribution
from consent.tasks.names import TaskName
from crypto.grant_list import pack_grants, unpack_grants
from crypto.holder_card import HolderCard
from crypto.invitation import Invitation
from crypto.manifest import Manifest, context_of
from crypto.sealing import secure_sum
from crypto.sums.interface import SecureSum
from crypto.update import IntArray, SealedUpdate
from crypto.upload import Upload, sign_upload
from crypto.wire import SignedRecord, public_bytes
from tests.unit.consent.harness import WITHDRAW, Device, Stage
from tests.unit.crypto.samples import generator, noised, signer
from tests.unit.server.stage import declined

Answer = Callable[[str, RecordDict], RecordDict | str]
_LARGEST: Final = 1000


class Node(Protocol):
    """What a round needs of whoever is asked to take part."""

    @property
    def id(self) -> str: ...

    def answer(self, kind: str, content: RecordDict, /) -> RecordDict | str: ...


@dataclass(kw_only=True)
class Client:
    """A client with its shoppers.

    Attributes:
        cards: of the key holders that it pins.
        contributed: what is in each upload by its hash; all clients of a test share it.
        sealings: how often it sealed.
    """

    device: Device
    stage: Stage
    cards: tuple[HolderCard, ...]
    contributed: dict[str, IntArray]
    sealings: int = 0
    sent: dict[str, Contribution] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.device.name

    @property
    def key(self) -> Ed25519PrivateKey:
        return self.device.key

    def answer(self, _kind: str, content: RecordDict) -> RecordDict | str:
        """What was sealed for this round before, as long as all its grants stand; else anew."""
        invitation = invited(content)
        before = self.sent.get(context_of(invitation.manifest))
        if before is not None and self._stands(before):
            return _sent(before)
        made = self.seal(invitation)
        return declined("consent") if made is None else _sent(made)

    def _stands(self, made: Contribution) -> bool:
        return self.stage.client.standing(made.token_ids) == set(made.token_ids)

    def seal(self, invitation: Invitation) -> Contribution | None:
        """Ask for grants and seal new integers; None if nobody agrees."""
        context = context_of(invitation.manifest)
        manifest = manifest_of(invitation.manifest)
        granted = self.stage.client.participation(
            self.key,
            task=TaskName(manifest.task),
            round_id=manifest.round_id,
            context=context,
            shoppers=list(self.device.shoppers),
        ).grants
        if not granted:
            return None
        self.sealings += 1
        label = f"{self.id} {context} {self.sealings}"
        size = manifest.plan.padded_dimension
        values = generator(label).below(2 * _LARGEST + 1, size) - _LARGEST
        sealed = scheme_of(invitation, self.cards).seal(
            noised(values, shoppers=len(granted)),
            sender=public_bytes(self.key.public_key()),
            rng=generator(f"seal {label}"),
        )
        made = signed(self.key, sealed, tuple(each.token for each in granted.values()))
        self.contributed[made.header.hash] = values
        token_ids = tuple(each.grant.token_id for each in granted.values())
        self.sent[context] = replace(made, token_ids=token_ids)
        return self.sent[context]

    def withdraw(self) -> None:
        """The first of its shoppers withdraws."""
        self.stage.decide(self.device, WITHDRAW)


def signed(key: Ed25519PrivateKey, sealed: SealedUpdate, tokens: tuple[str, ...]) -> Contribution:
    """A contribution of these bytes under these grants, signed by this key."""
    header = sign_upload(sealed, tokens, key)
    return Contribution(header=header, grants=pack_grants(tokens), sealed=sealed, token_ids=())


def tokens_of(made: Contribution) -> tuple[str, ...]:
    """The grants of a contribution."""
    return unpack_grants(made.grants, Upload.parse(made.header).grant_count)


def reply(made: Contribution) -> RecordDict:
    """A client's reply with this contribution."""
    return _sent(made)


def gone(_kind: str, _content: RecordDict) -> str:
    """A node that is not there."""
    return "node is gone"


def invited(content: RecordDict) -> Invitation:
    """The invitation of a message."""
    data = content.config_records["round"]["invitation"]
    assert isinstance(data, bytes)
    return Invitation.from_bytes(data)


def manifest_of(record: SignedRecord) -> Manifest:
    return Manifest.verify(record, signer("coordinator").public_key())


def scheme_of(invitation: Invitation, cards: tuple[HolderCard, ...]) -> SecureSum:
    """The secure sum of the round that clients are invited to."""
    return secure_sum(
        manifest_of(invitation.manifest),
        context_of(invitation.manifest),
        cards=cards,
        round_keys=invitation.round_keys,
    )


def unheard(client: Client) -> Answer:
    """It seals, and its answer is lost."""

    def answer(kind: str, content: RecordDict) -> str:
        client.answer(kind, content)
        return "node is gone"

    return answer


def said_no(_kind: str, _content: RecordDict) -> RecordDict:
    return declined("consent")


def spoilt(client: Client, number: int) -> Answer:
    """It signs bytes for one key holder that nobody can open."""

    def answer(_kind: str, content: RecordDict) -> RecordDict:
        made = client.seal(invited(content))
        assert made is not None
        shares = list(made.sealed.shares)
        shares[number - 1] = shares[number - 1][::-1]
        sealed = replace(made.sealed, shares=tuple(shares))
        return reply(signed(client.key, sealed, tokens_of(made)))

    return answer
