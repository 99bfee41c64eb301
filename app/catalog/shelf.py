"""What a station reads by: the templates it was shipped with, or the catalogue its centre published, and how to go
back.

`catalogue/` in the station's folder holds the bundles that were installed, named by their version, and `shelf.json`:
which one is in use, which were before it, the highest serial ever seen (an older publication is not installed again;
going back is a step of its own).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.catalog.bundle import Bundle, open_signed, read_bundle
from app.catalog.compiled import compile_products, products_of, rows_in, seal_compiled, trusted_hash
from app.catalog.own import name_of, open_bindings, open_own, own_products, with_bindings
from app.catalog.templates import read_products, refuse_duplicates, template_files, version_of
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.core.products import Catalogue, Product
from app.keys import Verify
from app.paths import TEMPLATES
from app.platform import durable_write

_KEPT = 5


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a catalogue is read from: files, folders of TOML or a bundle (.json), what was bound, its version;
    `own`: the texts of templates that were added at the station.

    The version is worked out by whoever opens the files; an eye that finds another one refuses to read by it.
    """

    paths: tuple[str, ...]
    bound: tuple[tuple[str, str], ...] = ()
    version: str = ""
    own: tuple[str, ...] = ()
    compiled: str = ""  # SHA-256 of the rows that lie beside a bundle, "" to read the bundle itself


SHIPPED = Sources((str(TEMPLATES),))
"""What the product brings along."""


def read_sources(sources: Sources) -> Catalogue:
    """The catalogue of these sources, with its version.

    Raises BadInput as `load_products`; EvidenceTrouble("catalog.tampered") when it is not the version asked for.
    """
    held, version = _opened(sources)
    if sources.version and version != sources.version:
        raise EvidenceTrouble("catalog.tampered", f"{version[:12]} instead of {sources.version[:12]}")
    products: list[Product] = []
    for path, content in held.items():
        if isinstance(content, Bundle):
            products += _compiled(Path(path), sources.compiled) or content.products()
        else:
            products += _beside(_products(content), products)
    products += _beside(own_products(sources.own), products)
    refuse_duplicates(products)
    return Catalogue(with_bindings(products, dict(sources.bound)), version)


def _compiled(bundle: Path, sha256: str) -> tuple[Product, ...]:
    """The products that were compiled from a bundle; () unless they are exactly those that are trusted."""
    if not sha256:
        return ()
    try:
        rows = rows_in(compiled_path(bundle).read_bytes())
        return products_of(rows) if hashlib.sha256(rows).hexdigest() == sha256 else ()
    except (OSError, ValueError):
        return ()


def compiled_path(bundle: Path) -> Path:
    """Where a bundle's compiled products lie."""
    return bundle.with_suffix(".compiled")


def version_of_sources(sources: Sources) -> str:
    """The version of what these sources hold, without reading a product. Raises BadInput as `read_sources`."""
    return _opened(sources)[1]


def _opened(sources: Sources) -> tuple[dict[str, Bundle | dict[str, bytes]], str]:
    """What lies at each path, a bundle or template files by their names, and the version of all that is read."""
    held = {path: _read(Path(path)) if path.endswith(".json") else _texts(Path(path)) for path in sources.paths}
    published, texts = "", dict[str, bytes]()
    for content in held.values():
        if isinstance(content, Bundle):
            published = content.version
        else:
            texts |= content
    texts |= {name_of(number): text.encode() for number, text in enumerate(sources.own, 1)}
    if sources.bound:
        texts["bound"] = json.dumps(sorted(sources.bound)).encode()
    return held, _named(published, texts)


def _texts(path: Path) -> dict[str, bytes]:
    """Template files by their names. Raises BadInput."""
    found: dict[str, bytes] = {}
    for file in template_files(path):
        try:
            found[file.name] = file.read_bytes()
        except OSError as error:
            raise BadInput("catalog.bad_template", f"{file.name}: {error.strerror}") from error
    return found


def _named(published: str, texts: Mapping[str, bytes]) -> str:
    """The published version, with a mark of what stands beside it; without one the name of the files."""
    if not published:
        return version_of(texts)
    return f"{published}+{version_of(texts)[:8]}" if texts else published


def _products(texts: Mapping[str, bytes]) -> Iterator[Product]:
    """The products of template files. Raises BadInput("catalog.bad_template")."""
    for name, data in texts.items():
        yield from read_products(name, data)


def _beside(found: Iterable[Product], known: Sequence[Product]) -> list[Product]:
    """Those of `found` that no product of `known` stands in for, by its id or one of its barcodes: beside a bundle a
    rehearsal's own products, beside both the station's.
    """
    ids, gtins = {p.id for p in known}, {g for p in known for g in p.gtins}
    return [p for p in found if p.id not in ids and not p.gtins & gtins]


def _read(path: Path) -> Bundle:
    try:
        return read_bundle(path.read_bytes())
    except OSError as error:
        raise BadInput("input.missing", path.name) from error


def shipped() -> Catalogue:
    """The catalogue that the product brings along."""
    return read_sources(SHIPPED)


@dataclass(frozen=True, slots=True)
class Standing:
    """What `shelf.json` says. `before`: the versions in use before, the latest first; "" is what was shipped."""

    current: str = ""
    before: tuple[str, ...] = ()
    serial: int = 0


class Shelf:
    """The published catalogues of one station folder. `verify`: the centre's pinned server key."""

    def __init__(self, folder: Path, tenant: str, verify: Verify) -> None:
        self._folder, self._tenant, self._verify = folder, tenant, verify

    @property
    def standing(self) -> Standing:
        """What is in use. Raises StorageTrouble("catalog.shelf_damaged")."""
        path = self._folder / "shelf.json"
        if not path.exists():
            return Standing()
        try:
            raw = json.loads(path.read_bytes())
            return Standing(str(raw["current"]), tuple(map(str, raw["before"])), int(raw["serial"]))
        except (OSError, ValueError, KeyError, TypeError) as wrong:
            raise StorageTrouble("catalog.shelf_damaged", path.name) from wrong

    def install(self, data: bytes) -> Bundle:
        """Take a published catalogue into use; the one before is kept. The same again changes nothing.

        Raises as `open_signed`; BadInput("catalog.older") for a serial below one that was installed.
        """
        bundle = open_signed(data, self._tenant, self._verify)
        bundle.products()
        standing = self.standing
        if bundle.stated.serial < standing.serial:
            raise BadInput("catalog.older", f"{bundle.stated.serial} < {standing.serial}")
        if bundle.version == standing.current:
            if bundle.stated.serial > standing.serial:  # the same content, published again
                self._save(replace(standing, serial=bundle.stated.serial))
            return bundle
        self._folder.mkdir(parents=True, exist_ok=True)
        durable_write(self._place(bundle.version), bundle.to_bytes())
        before = (standing.current, *(v for v in standing.before if v != bundle.version))[:_KEPT]
        self._save(Standing(bundle.version, before, bundle.stated.serial))
        self._tidy()
        return bundle

    def roll_back(self) -> str:
        """Use the version before again; its name ("" for what was shipped).

        Raises BadInput("catalog.nothing_before"), and as `open_signed` when it is damaged.
        """
        standing = self.standing
        if not standing.before:
            raise BadInput("catalog.nothing_before")
        wanted = standing.before[0]
        if wanted:
            self._opened(wanted)
        self._save(replace(standing, current=wanted, before=standing.before[1:]))
        return wanted

    def bind(self, data: bytes) -> None:
        """Keep a signed bindings file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        durable_write(self._folder / "bindings.json", data)

    def bound(self, station: str, verify: Verify) -> dict[str, str]:
        """What was bound at this station; `verify`: its own key. Raises EvidenceTrouble("catalog.untrusted")."""
        path = self._folder / "bindings.json"
        return open_bindings(path.read_bytes(), station, verify) if path.exists() else {}

    def keep_own(self, data: bytes) -> None:
        """Keep a signed file of the station's own products."""
        self._folder.mkdir(parents=True, exist_ok=True)
        durable_write(self._folder / "own.json", data)

    def own(self, station: str, verify: Verify) -> tuple[str, ...]:
        """The templates added at this station, in order; `verify`: its own key. Raises
        EvidenceTrouble("catalog.untrusted").
        """
        path = self._folder / "own.json"
        return open_own(path.read_bytes(), station, verify) if path.exists() else ()

    def sources(self, bound: Mapping[str, str], rehearsal: bool, own: Sequence[str] = ()) -> Sources:
        """What to read by now; a rehearsal has the shipped rehearsal products too. The signature is checked.

        Raises as `open_signed`.
        """
        current = self.standing.current
        if current:
            self._opened(current)
            paths = (str(self._place(current)), *((str(TEMPLATES),) if rehearsal else ()))
        else:
            paths = (str(TEMPLATES),)
        given = Sources(paths, tuple(sorted(bound.items())), own=tuple(own))
        return replace(given, version=version_of_sources(given))

    def compiled(self, station: str, verify: Verify, sign: Callable[[bytes], bytes]) -> str:
        """The SHA-256 of the present version's compiled products, made anew where there are none to be trusted; "" for
        what was shipped. `verify`, `sign`: by the station's own key. Raises as `open_signed`.
        """
        current = self.standing.current
        if not current:
            return ""
        path = compiled_path(self._place(current))
        known = trusted_hash(path.read_bytes(), station, current, verify) if path.exists() else ""
        if not known:
            rows = compile_products(self._opened(current).products())
            durable_write(path, seal_compiled(rows, station, current, sign))
            known = hashlib.sha256(rows).hexdigest()
        return known

    def _opened(self, version: str) -> Bundle:
        try:
            bundle = open_signed(self._place(version).read_bytes(), self._tenant, self._verify)
        except OSError as error:
            raise StorageTrouble("catalog.shelf_damaged", version[:12]) from error
        if bundle.version != version:
            raise EvidenceTrouble("catalog.tampered", version[:12])
        return bundle

    def _place(self, version: str) -> Path:
        return self._folder / f"{version}.json"

    def _save(self, standing: Standing) -> None:
        durable_write(self._folder / "shelf.json", json.dumps(asdict(standing)).encode())

    def _tidy(self) -> None:
        """Remove bundles that nobody can go back to any more."""
        standing = self.standing
        kept = {standing.current, *standing.before}
        for path in self._folder.glob("*.json"):
            if len(path.stem) == hashlib.sha256().digest_size * 2 and path.stem not in kept:
                path.unlink()
                compiled_path(path).unlink(missing_ok=True)
