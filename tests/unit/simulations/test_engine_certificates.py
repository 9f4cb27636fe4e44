"""The certificate holds for loopback and for its own authority alone; secrets are private."""

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from crypto.errors import InvalidInputError
from simulations.engine.certificates import ServerCertificate, make_certificate, make_node_key


async def shake_hands(server: ServerCertificate, trusted: Path, name: str) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(server.certificate, server.key)
    asking = ssl.create_default_context(cafile=str(trusted))
    asking.verify_flags |= ssl.VERIFY_X509_STRICT

    def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(close, "127.0.0.1", 0, ssl=served)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=asking, server_hostname=name
        )
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_certificate_is_good_for_loopback(tmp_path: Path, name: str) -> None:
    made = make_certificate(tmp_path)
    asyncio.run(shake_hands(made, made.authority, name))


def test_another_name_or_authority_is_refused(tmp_path: Path) -> None:
    made, other = make_certificate(tmp_path / "a"), make_certificate(tmp_path / "b")
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(shake_hands(made, made.authority, "shop.example"))
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(shake_hands(made, other.authority, "127.0.0.1"))


def test_secrets_are_private_and_never_overwritten(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    public = make_node_key(tmp_path / "node.key")
    for secret in (made.key, tmp_path / "node.key"):
        assert secret.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidInputError):
        make_node_key(tmp_path / "node.key")
    key = load_ssh_private_key((tmp_path / "node.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp384r1"
    shown = load_ssh_public_key(public.read_bytes())
    assert isinstance(shown, ec.EllipticCurvePublicKey)
    assert shown.public_numbers() == key.public_key().public_numbers()
