"""A certificate authority of the centre's own, and the server's certificate by it. Stations pin the authority.

    tls/ca.pem    pinned by stations at enrolment (in centre.json too)    tls/ca.key        signs server certificates
    tls/server.pem                                                        tls/server.key    (0600 both)

`ca.key` is needed again only to renew the server's certificate; it may be carried away.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.core.errors import BadInput
from app.platform import durable_write, private_folder

CA_CERTIFICATE, CA_KEY, CERTIFICATE, KEY = "ca.pem", "ca.key", "server.pem", "server.key"
_ALWAYS = ("localhost", "127.0.0.1", "::1")
_CA_DAYS, _SERVER_DAYS = 3650, 730
_SLACK = datetime.timedelta(days=1)
"""A certificate holds from a day ago: clocks differ."""


def make_authority(folder: Path, tenant: str) -> str:
    """Make the authority's key and certificate in `folder`; the certificate (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Card Intake {tenant}")
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = _builder(name, name, key.public_key(), _CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    private_folder(folder)
    durable_write(folder / CA_KEY, _key_pem(key))
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    durable_write(folder / CA_CERTIFICATE, pem, mode=0o644)
    return pem.decode("ascii")


def make_certificate(folder: Path, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Make the server's key and certificate for `names` (hosts or addresses), this machine's name and loopback.

    Gives back the names. Raises BadInput("serve.no_tls") when the authority's key is not there, ("serve.host").
    """
    try:
        authority = x509.load_pem_x509_certificate((folder / CA_CERTIFICATE).read_bytes())
        signing = serialization.load_pem_private_key((folder / CA_KEY).read_bytes(), None)
    except (OSError, ValueError) as gone:
        raise BadInput("serve.no_tls", CA_KEY) from gone
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise BadInput("serve.no_tls", CA_KEY)
    hosts = tuple(dict.fromkeys([*names, socket.gethostname().lower(), *_ALWAYS]))
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(hosts[0][:60]), authority.subject, key.public_key(), _SERVER_DAYS)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    certificate = builder.sign(signing, hashes.SHA256())
    durable_write(folder / KEY, _key_pem(key))
    durable_write(folder / CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return hosts


def server_context(folder: Path) -> ssl.SSLContext:
    """What a server process speaks TLS 1.3 with. Raises BadInput("serve.no_tls")."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    except (OSError, ssl.SSLError) as gone:
        raise BadInput("serve.no_tls", CERTIFICATE) from gone
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
    builder = builder.not_valid_before(now - _SLACK).not_valid_after(now + datetime.timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError as wrong:
        raise BadInput("serve.host", host) from wrong


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain)
