"""A certificate for loopback, and the bundle of certificates that programs trust.

The authority that signs the certificate may sign for this machine's loopback names only, and its key is thrown away at
once: the certificate that is added to the bundle can't vouch for any other host.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from creditml.secret_files import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIFE = timedelta(days=397)
_RENEWED = timedelta(days=30)
_SKEW = timedelta(hours=1)
_NAME = "localhost"
_ADDRESS = ipaddress.ip_address("127.0.0.1")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


class Certificates(NamedTuple):
    """Files in PEM: the server's certificate, its key, and the authority that signed it."""

    certificate: Path
    key: Path
    authority: Path


def certificates(root: Path) -> Certificates:
    """The certificates of the workspace folder `root`; made if there are none, or if they expire within a month."""
    folder = root / FOLDER
    found = Certificates(folder / "server.pem", folder / "server.key", folder / "ca.pem")
    if not all(file.is_file() for file in found) or _expires(found.certificate):
        _make(found)
    return found


def bundle(found: Certificates, environment: Mapping[str, str]) -> Path:
    """A file with all certificates that programs trust in an environment, and that of the workspace's authority."""
    named = next((environment[name] for name in _BUNDLES if os.path.isfile(environment.get(name, ""))), None)
    trusted = Path(named) if named else Path(_certifi())
    own = found.authority.read_bytes()
    content = trusted.read_bytes().replace(own, b"").rstrip() + b"\n" + own
    file = found.authority.with_name("bundle.pem")
    if not file.is_file() or file.read_bytes() != content:
        _write(file, content)
    return file


def _certifi() -> str:
    import certifi

    return certifi.where()


def _expires(certificate: Path) -> bool:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    return loaded.not_valid_after_utc - _RENEWED < datetime.now(timezone.utc)


def _make(files: Certificates) -> None:
    files.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "creditml local workspace")])
    loopback = x509.NameConstraints(
        [x509.DNSName(_NAME), x509.IPAddress(ipaddress.ip_network(f"{_ADDRESS}/32"))], excluded_subtrees=None
    )
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(loopback, critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName(_NAME), x509.IPAddress(_ADDRESS)])
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    certificate = (
        _builder(own_name, authority_name, key.public_key())
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(files.key, private)
    _write(files.authority, authority.public_bytes(serialization.Encoding.PEM))
    _write(files.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFE)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(file: Path, content: bytes) -> None:
    """Write a file that only this user can read, and that is either complete or not there."""
    draft = file.with_name(f".{file.name}-{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(content)
    draft.replace(file)
