"""A published catalogue: template files under one signed statement, named by their content.

The file is JSON: {"signed": {"text", "sig"}, "files": {name: text}}. The statement (`CatalogueStatement`) names each
file's SHA-256, so that whoever knows the version can check the content without a key; the signature is the centre's
server key, which stations pinned when they enrolled.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from app.catalog.templates import read_products, refuse_duplicates, version_of
from app.core.errors import BadInput, EvidenceTrouble
from app.core.products import Product
from app.keys import Verify
from app.wire import Hex64, Name, Signed, Statement, open_statement, sign_statement

MOST_BYTES = 64 << 20
_FILE_NAME = re.compile(r"[\w][\w.\- ]{0,80}\.toml")


class CatalogueStatement(Statement):
    """The centre states what its catalogue is. `version`: `templates.version_of` its files; `serial` counts up."""

    TYPE = "catalogue"
    tenant: Name
    serial: int
    version: Hex64
    made_ms: int
    files: dict[str, Hex64]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose files are what its statement says; who signed it is a question of its own (`open_signed`)."""

    signed: Signed
    stated: CatalogueStatement
    files: Mapping[str, bytes]

    @property
    def version(self) -> str:
        return self.stated.version

    def products(self) -> tuple[Product, ...]:
        """Raises BadInput("catalog.bad_template")."""
        found = tuple(p for name in sorted(self.files) for p in read_products(name, self.files[name]))
        refuse_duplicates(found)
        return found

    def to_bytes(self) -> bytes:
        """The bytes of the bundle's file."""
        files = {name: text.decode() for name, text in self.files.items()}
        signed = json.loads(self.signed.model_dump_json())
        return json.dumps({"signed": signed, "files": files}, ensure_ascii=False, sort_keys=True).encode()


def make_bundle(
    files: Mapping[str, bytes], tenant: str, serial: int, made_ms: int, sign: Callable[[bytes], bytes]
) -> Bundle:
    """Sign template files. Every product is read first. Raises BadInput("catalog.bad_template")."""
    for name in files:
        if not _FILE_NAME.fullmatch(name):
            raise BadInput("catalog.bad_template", f"{name}: a template file is called NAME.toml")
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    stated = CatalogueStatement(tenant=tenant, serial=serial, version=version_of(files), made_ms=made_ms, files=hashes)
    bundle = Bundle(sign_statement(stated, sign), stated, dict(files))
    if not bundle.products():
        raise BadInput("catalog.missing", "no product in it")
    return bundle


def read_bundle(data: bytes) -> Bundle:
    """A bundle from its bytes, its content held against its statement; the signature is not looked at.

    Raises BadInput("catalog.bad_bundle") for what is no bundle, EvidenceTrouble("catalog.tampered") where files and
    statement differ.
    """
    try:
        raw = json.loads(data)
        signed = Signed.model_validate(raw["signed"])
        stated = CatalogueStatement.model_validate(json.loads(signed.text))
        files = {str(name): str(text).encode() for name, text in raw["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as wrong:
        raise BadInput("catalog.bad_bundle", type(wrong).__name__) from wrong
    hashes = {name: hashlib.sha256(text).hexdigest() for name, text in files.items()}
    if hashes != stated.files or version_of(files) != stated.version:
        raise EvidenceTrouble("catalog.tampered", stated.version[:12])
    return Bundle(signed, stated, files)


def open_signed(data: bytes, tenant: str, verify: Verify) -> Bundle:
    """A bundle that this tenant's centre signed. Raises as `read_bundle`; EvidenceTrouble("catalog.untrusted")."""
    bundle = read_bundle(data)
    try:
        stated = open_statement(CatalogueStatement, bundle.signed, verify)
    except EvidenceTrouble as wrong:
        raise EvidenceTrouble("catalog.untrusted", wrong.detail) from wrong
    if stated.tenant != tenant:
        raise EvidenceTrouble("catalog.untrusted", "of another tenant")
    return bundle
