"""The Flower client app: translates messages, decides nothing, imports lightly.

``query.hello`` says who this client is; ``train.contribute`` takes part in a round. A client that
does not take part answers so, with a reason that names no shopper and no file of hers. Flower would
send the coordinator the words of any exception that leaves here, so none does; nor do they go to a
log, which may be shipped elsewhere: paths, names and ids are in them.
"""

import logging
import traceback
from pathlib import Path

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from client.connection import connect
from client.home import ClientHome
from client.outbox import Contribution
from client.participate import UnfitRoundError, contribute
from crypto.errors import ConsentError, FedcartError, WireError
from crypto.invitation import Invitation
from crypto.wire import b64, public_bytes

app = ClientApp()
_logger = logging.getLogger("fedcart.client")


@app.query("hello")
def hello(message: Message, context: Context) -> Message:
    """Answer with this client's key and kind."""
    try:
        home = _home(context)
    except Exception as error:
        _logger.error("this client has no home: %s", _where(error))  # noqa: TRY400
        raise RuntimeError("This client can't say who it is.") from None
    key = b64(public_bytes(home.identity.public_key()))
    record = ConfigRecord({"client_key": key, "kind": str(home.kind)})
    return Message(RecordDict({"hello": record}), reply_to=message)


@app.train("contribute")
def take_part(message: Message, context: Context) -> Message:
    """Contribute to a round, or decline."""
    try:
        home = _home(context)
        invitation = Invitation.from_bytes(_bytes_of(message))
        consent = connect(home.trust.consent_url)
        sent = contribute(invitation, home, consent, given=artefacts_in(message.content))
    except ConsentError:
        return Message(_declined("consent"), reply_to=message)
    except UnfitRoundError as error:
        return Message(_declined(str(error)), reply_to=message)
    except FedcartError as error:  # its message may name files of this client
        return Message(_declined(type(error).__name__), reply_to=message)
    except Exception as error:
        _logger.error("this client stumbled: %s", _where(error))  # noqa: TRY400
        return Message(_declined(type(error).__name__), reply_to=message)
    return Message(_sent(sent), reply_to=message)


def _sent(sent: Contribution) -> RecordDict:
    header = ConfigRecord({"status": "sent", "header": sent.header.to_bytes()})
    parts = {"grants": sent.grants, "body": sent.sealed.body}
    parts |= {f"share-{k}": share for k, share in enumerate(sent.sealed.shares, start=1)}
    arrays = {
        name: Array(dtype="uint8", shape=(len(data),), stype="fedcart.sealed", data=data)
        for name, data in parts.items()
    }
    return RecordDict({"upload": header, "sealed": ArrayRecord(arrays)})


def _declined(reason: str) -> RecordDict:
    return RecordDict({"upload": ConfigRecord({"status": "declined", "reason": reason})})


def _bytes_of(message: Message) -> bytes:
    value = message.content["round"]["invitation"]
    if not isinstance(value, bytes):
        raise WireError("The message carries no invitation.")
    return value


def _where(error: BaseException) -> str:
    """What went wrong and on which line of this program, in words that are its own."""
    trace = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(trace[-1].filename).name}:{trace[-1].lineno}" if trace else ""
    return f"{type(error).__name__}{place}"


def artefacts_in(content: RecordDict) -> dict[str, bytes]:
    """What came with the invitation, by the names that the sender gave; nothing is checked yet."""
    found = content.array_records.get("artefacts")
    return {} if found is None else {name: bytes(array.data) for name, array in found.items()}


def _home(context: Context) -> ClientHome:
    return ClientHome.load(Path(str(context.node_config["home"])))
