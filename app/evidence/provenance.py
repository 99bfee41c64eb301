"""C2PA for the viewing copies of a dossier: programs that know the standard show which recording a copy is of.

It proves no more than the dossier's own verifier does, and a dossier needs none. The manifest is signed by a key made
for this one export; its certificate is issued by the station's key, so that who trusts that key trusts the manifest.
The file's pictures stay byte for byte; nothing is fetched. The package `c2pa-python` is an optional extra.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app import __version__
from app.core.errors import BadInput

LABEL = "org.cardintake.recording"
"""Our assertion: of which recording, with which Merkle root, signed by which station."""

_DAYS = 3650
_CAMERA = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
_MADE_UP = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"


@dataclass(frozen=True, slots=True)
class Copy:
    """What is told of a viewing copy; `real`: of a camera, and no rehearsal; `masked`: secret fields are covered."""

    name: str
    recording: str
    station_key: str
    root: str
    from_pts: int
    to_pts: int
    real: bool
    masked: bool


def _library() -> Any:
    """Raises BadInput("dossier.no_c2pa")."""
    try:
        import c2pa  # noqa: PLC0415  heavy, and an extra
    except ImportError as missing:
        raise BadInput("dossier.no_c2pa", "c2pa-python") from missing
    return c2pa


def signing_seed(seed: bytes | None) -> bytes:
    """The station's Ed25519 seed, if manifests can be made with it. Raises BadInput("dossier.no_c2pa")."""
    _library()
    if seed is None:
        raise BadInput("dossier.no_c2pa", "not signed")
    return seed


def sign_copy(source: IO[bytes], target: IO[bytes], copy: Copy, signing: bytes) -> None:
    """Write the MP4 in `source` into `target` with a manifest; `signing` is the station's Ed25519 seed.

    Raises BadInput("dossier.no_c2pa") without the package; OSError.
    """
    c2pa = _library()
    key, certificates = _certified(Ed25519PrivateKey.from_private_bytes(signing), copy.recording)
    signer = c2pa.Signer.from_callback(key.sign, c2pa.C2paSigningAlg.ED25519, certificates, None)
    try:
        with c2pa.Builder(_manifest(copy)) as builder:
            builder.sign(signer, "video/mp4", source, target)
    except c2pa.C2paError as trouble:
        raise OSError(f"no C2PA manifest: {trouble}") from trouble


def _manifest(copy: Copy) -> dict[str, Any]:
    made = {"action": "c2pa.created", "digitalSourceType": _CAMERA if copy.real else _MADE_UP}
    masked = {"action": "c2pa.edited", "parameters": {"description": "secret fields are painted over"}}
    told = {
        **{"recording": copy.recording, "station_key": copy.station_key, "root": copy.root, "real": copy.real},
        **{"from_us": copy.from_pts, "to_us": copy.to_pts},
    }
    return {
        "claim_generator_info": [{"name": "cardintake", "version": __version__}],
        "format": "video/mp4",
        "title": copy.name,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [made, *([masked] if copy.masked else [])]}},
            {"label": LABEL, "data": told},
        ],
    }


def _certified(station: Ed25519PrivateKey, recording: str) -> tuple[Ed25519PrivateKey, str]:
    """A key for one export, and its certificate with the station's behind it (PEM)."""
    key, own = Ed25519PrivateKey.generate(), station.public_key()
    root_name, issued_by = _name("station"), x509.SubjectKeyIdentifier.from_public_key(own)
    no_path = x509.BasicConstraints(ca=True, path_length=0)
    root = _draft(root_name, root_name, own).add_extension(no_path, True).add_extension(_usage(issues=True), True)
    leaf = _draft(_name(f"export of {recording}"), root_name, key.public_key())
    leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    leaf = leaf.add_extension(_usage(issues=False), True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)  # C2PA wants one
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issued_by), False)
    signed = [one.sign(station, None).public_bytes(Encoding.PEM).decode() for one in (leaf, root)]
    return key, "".join(signed)


def _name(common: str) -> x509.Name:
    named = (NameOID.ORGANIZATION_NAME, "Card Intake"), (NameOID.COMMON_NAME, common[:64])
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in named])


def _draft(subject: x509.Name, issuer: x509.Name, public: Ed25519PublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    made = made.not_valid_after(now + timedelta(days=_DAYS))
    return made.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)


def _usage(issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=issues, crl_sign=issues, encipher_only=False, decipher_only=False,
    )  # fmt: skip
