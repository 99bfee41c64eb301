"""A time-stamp authority for tests: openssl's own, with keys made on the spot."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cryptography import x509

CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {at}/serial
signer_cert = {at}/tsa.pem
signer_key = {at}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[req]
distinguished_name = dn
[dn]
[ca_ext]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[tsa_ext]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class Authority:
    def __init__(self, at: Path) -> None:
        self.at = at
        at.mkdir()
        (at / "config").write_text(CONFIG.format(at=at))
        (at / "serial").write_text("01\n")
        subject = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", str(at / "config")]
        ca = ["-x509", "-extensions", "ca_ext", "-subj", "/CN=test root", "-keyout", "ca.key", "-out", "ca.pem"]
        self.openssl("req", *subject, *ca)
        self.openssl("req", *subject, "-subj", "/CN=test tsa", "-keyout", "tsa.key", "-out", "tsa.csr")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", "tsa.pem"]
        self.openssl("x509", "-req", "-in", "tsa.csr", *signed, "-extfile", "config", "-extensions", "tsa_ext")
        self.root = x509.load_pem_x509_certificate((at / "ca.pem").read_bytes())

    def openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.at, check=True, capture_output=True)

    def answer(self, query: bytes) -> bytes:
        (self.at / "q.tsq").write_bytes(query)
        self.openssl("ts", "-reply", "-config", "config", "-section", "here", "-queryfile", "q.tsq", "-out", "r.tsr")
        return (self.at / "r.tsr").read_bytes()
