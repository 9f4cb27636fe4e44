"""What holds for every signed message: its signer, its type, its exact fields, its exact bytes."""

import json
from dataclasses import replace

import pytest

from crypto.errors import WireError
from crypto.wire import SignedRecord
from tests.unit.crypto.messages import Message, messages
from tests.unit.crypto.samples import signer

MESSAGES = messages()


@pytest.fixture(params=MESSAGES, ids=[each.name for each in MESSAGES])
def message(request: pytest.FixtureRequest) -> Message:
    found: Message = request.param
    return found


def test_is_read_again_from_its_bytes(message: Message) -> None:
    record = SignedRecord.from_bytes(message.signed().to_bytes())
    assert message.parsed(record) == message.parsed(message.signed())


def test_every_field_is_needed(message: Message) -> None:
    for name in message.body:
        less = {key: value for key, value in message.body.items() if key != name}
        with pytest.raises(WireError):
            message.parsed(SignedRecord.sign(message.type, less, message.key))


def test_no_other_field_is_taken(message: Message) -> None:
    for extra in ({"extra": 1}, {"": None}, {"Version": 1}, {"signature": "x"}):
        with pytest.raises(WireError):
            message.parsed(message.signed(**extra))


@pytest.mark.parametrize("value", [None, True, 1.5, -1, [], {}, "", "\x00", 10**400], ids=repr)
def test_no_field_is_of_another_type(message: Message, value: object) -> None:
    """A value that some field may have is no harm, as long as the reader says what it read."""
    for name in message.body:
        record = message.signed(**{name: value})
        try:
            read = message.parsed(record)
        except WireError:
            continue
        assert read != message.parsed(message.signed()) or message.body[name] == value


def test_another_signer_is_refused(message: Message) -> None:
    forged = SignedRecord.sign(message.type, message.body, signer("mallory"))
    with pytest.raises(WireError, match="signature"):
        message.parsed(forged)
    if not message.named:
        with pytest.raises(WireError, match="signature"):
            message.read(message.signed(), signer("mallory").public_key())


def test_no_message_passes_for_another(message: Message) -> None:
    """Neither under its own type nor under the other one's: the type is in what is signed."""
    others = [each for each in MESSAGES if each.type != message.type]
    assert len(others) > 9
    for other in others:
        stolen = SignedRecord.sign(other.type, message.body, message.key)
        for record in (stolen, replace(stolen, type=message.type)):
            with pytest.raises(WireError):
                message.parsed(record)


def test_altered_bytes_are_refused(message: Message) -> None:
    record = message.signed()
    step = max(1, len(record.body) // 40)
    for position in range(0, len(record.body), step):
        altered = bytearray(record.body)
        altered[position] ^= 1
        with pytest.raises(WireError):
            message.parsed(replace(record, body=bytes(altered)))
    for position in (0, 31, 32, 63):
        signature = bytearray(record.signature)
        signature[position] ^= 1
        with pytest.raises(WireError):
            message.parsed(replace(record, signature=bytes(signature)))


def test_a_field_twice_is_refused(message: Message) -> None:
    """JSON readers differ in which of two they take."""
    name = next(iter(message.body))
    text = message.signed().body.decode()
    twice = text[:-1] + f',"{name}":{json.dumps(message.body[name])}}}'
    assert json.loads(twice) == message.body
    with pytest.raises(WireError, match="well-formed"):
        message.parsed(message.signed_bytes(twice.encode()))
