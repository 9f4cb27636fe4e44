"""Keys of a federation on this machine: a certificate for the SuperLink, a key for each SuperNode.

Made for one run and trusted by nobody else; a deployment brings its own certificate.
"""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from crypto.secret_file import write_secret

LIFETIME = dt.timedelta(days=2)
_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class ServerCertificate:
    """PEM files of a TLS server: whom to trust, the certificate, its private key (0600)."""

    authority: Path
    certificate: Path
    key: Path


def make_certificate(folder: Path) -> ServerCertificate:
    """A certificate for 127.0.0.1 and localhost, signed by an authority whose key is not kept."""
    folder.mkdir(parents=True, exist_ok=True)
    made = ServerCertificate(
        authority=folder / "authority.pem",
        certificate=folder / "server.pem",
        key=folder / "server.key",
    )
    root, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _authority(root)
    made.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    made.certificate.write_bytes(_server(key, authority, root).public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_secret(made.key, pem)
    return made


def make_node_key(path: Path) -> Path:
    """A SuperNode's P-384 key in OpenSSH's format at ``path``, 0600; returns its public file."""
    key = ec.generate_private_key(ec.SECP384R1())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    write_secret(path, secret)
    public = path.with_name(f"{path.name}.pub")
    public.write_bytes(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
    return public


def _authority(root: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("fedcart: authority of one run")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(root.public_key(), subject=name, issuer=name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(root, hashes.SHA256())
    )


def _server(
    key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, root: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName([loopback, x509.DNSName("localhost")])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        _builder(key.public_key(), subject=_name("fedcart: SuperLink"), issuer=authority.subject)
        .add_extension(names, critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(usage, critical=False)
        .sign(root, hashes.SHA256())
    )


def _builder(
    key: ec.EllipticCurvePublicKey, *, subject: x509.Name, issuer: x509.Name
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
