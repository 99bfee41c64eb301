"""C2PA manifests on a dossier's viewing copies, read back by the standard's own library."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from app.core.errors import BadInput
from app.evidence import dossier as evidence_dossier
from app.evidence.dossier import Beside, make_dossier
from app.evidence.journal import Signer
from app.evidence.provenance import LABEL
from app.evidence.stretch import Stretch
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.recorder.sink import Take

c2pa = pytest.importorskip("c2pa", reason="the extra c2pa is not installed")

KEYS = RecordingKeys(bytes(range(32)), bytes(range(50, 82)))
OTHER = RecordingKeys(bytes(range(32)), bytes(range(60, 92)))
W, H = 320, 240


def film(folder: Path, keys: RecordingKeys, **meta: Any) -> Path:
    origin = Origin(folder.name, "file:x", True, True, "0.1.0", meta=meta)
    take = Take(folder.name, create_recording(folder, keys, origin), lambda _message: None)
    for n in range(45):
        planes = np.random.default_rng(n + len(meta)).integers(20, 230, W * H * 3 // 2, np.uint8)
        take.frame(planes, 1_000_000 + n * 33_333, W, H)
    take.close("sealed")
    return folder


def dossier(folder: Path, keys: RecordingKeys = KEYS, masked: bool = True, beside: tuple[Beside, ...] = ()) -> Path:
    make_dossier(film(folder / "r1", keys, masked=masked), keys, folder / "d.zip", beside=beside, c2pa=True)
    return folder / "d.zip"


def viewing(path: Path, place: str = "") -> bytes:
    return zipfile.ZipFile(path).read(f"{place}viewing.mp4")


def read(data: bytes, anchor: str = "") -> tuple[str, dict[str, Any], list[str]]:
    """What the library says: its verdict, the manifest, what is wrong."""
    verify = {"verify_trust": bool(anchor), "remote_manifest_fetch": False, "ocsp_fetch": False}
    settings = c2pa.Settings.from_dict({"verify": verify, "trust": {"trust_anchors": anchor} if anchor else {}})
    with c2pa.Context(settings) as context, c2pa.Reader("video/mp4", io.BytesIO(data), context=context) as reader:
        found = json.loads(reader.json())
        wrong = [one["code"] for one in found.get("validation_status") or []]
        return str(reader.get_validation_state()), found["manifests"][found["active_manifest"]], wrong


def station_certificate(data: bytes, keys: RecordingKeys = KEYS) -> x509.Certificate:
    """The certificate that issued the manifest's: it stands in the file, signed by itself."""
    key = data.find(bytes.fromhex(Signer(keys.signing).public_key))
    for at in range(key, 0, -1):
        if data[at : at + 2] == b"\x30\x82":
            try:
                found = x509.load_der_x509_certificate(data[at : at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")])
            except ValueError:
                continue
            if found.issuer == found.subject:
                return found
    raise AssertionError("no certificate of the station's key")


def test_the_library_reads_whose_it_is_and_trusts_it_by_the_stations_key(tmp_path: Path) -> None:
    made = dossier(tmp_path)
    data = viewing(made)
    state, manifest, _ = read(data)
    assert state in ("Valid", "Trusted")
    own = next(one["data"] for one in manifest["assertions"] if one["label"] == LABEL)
    records = [json.loads(line) for line in (tmp_path / "r1" / "journal.jsonl").read_text().splitlines()]
    assert own["recording"] == "r1"
    assert (own["station_key"], own["root"]) == (Signer(KEYS.signing).public_key, records[-1]["root"])
    assert own["real"] is False
    assert "digitalCreation" in json.dumps(manifest)
    assert "painted over" in json.dumps(manifest)
    assert "painted over" not in json.dumps(read(viewing(dossier(tmp_path / "plain", masked=False)))[1])
    anchor = station_certificate(data)
    anchor.verify_directly_issued_by(anchor)
    assert anchor.public_key().public_bytes_raw().hex() == own["station_key"]  # type: ignore[union-attr]
    assert read(data, anchor.public_bytes(Encoding.PEM).decode())[0] == "Trusted"
    code = subprocess.run(
        [sys.executable, "-m", "app", "verify", str(made)], capture_output=True, check=False
    ).returncode
    assert code == 0  # the pictures are still those of the fragments


@pytest.mark.parametrize("other", [KEYS, OTHER], ids=["the same key", "another key by then"])
def test_both_cameras_films_carry_their_own_manifest(tmp_path: Path, other: RecordingKeys) -> None:
    """Each names its own recording, and is signed by the key that its chain names."""
    label = film(tmp_path / "r2", other, masked=True, role="label", beside="r1")
    made = dossier(tmp_path, beside=(Beside("r2", "label", label, other, Stretch(), 0),))
    told = {}
    for place, keys in (("", KEYS), ("label/", other)):
        data = viewing(made, place)
        anchor = station_certificate(data, keys).public_bytes(Encoding.PEM).decode()
        state, manifest, wrong = read(data, anchor)
        assert (state, wrong) == ("Trusted", [])
        own = next(one["data"] for one in manifest["assertions"] if one["label"] == LABEL)
        close = json.loads((tmp_path / own["recording"] / "journal.jsonl").read_text().splitlines()[-1])
        assert (own["station_key"], own["root"]) == (Signer(keys.signing).public_key, close["root"])
        told[place] = own["recording"]
    assert told == {"": "r1", "label/": "r2"}
    done = subprocess.run([sys.executable, "-m", "app", "verify", str(made)], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert [one["recording"] for one in json.loads(done.stdout)["beside"]] == ["r2"]


def test_another_stations_is_not_trusted_and_a_changed_picture_is_found(tmp_path: Path) -> None:
    data, other = (viewing(dossier(tmp_path / name, keys)) for name, keys in (("a", KEYS), ("b", OTHER)))
    anchor = station_certificate(data).public_bytes(Encoding.PEM).decode()
    assert read(other, anchor)[0] != "Trusted"
    at = data.rfind(b"mdat") + 2000
    changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    state, _, wrong = read(changed, anchor)
    assert state == "Invalid"
    assert any("mismatch" in code for code in wrong)


def test_without_the_stations_key_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no_c2pa"):
        dossier(tmp_path, RecordingKeys(bytes(range(32)), None))
    assert not (tmp_path / "d.zip").exists()


def test_a_key_that_lacks_beside_it_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = RecordingKeys(bytes(range(32)), None)
    label = film(tmp_path / "r2", KEYS, masked=True, role="label", beside="r1")
    begun: list[Path] = []
    monkeypatch.setattr(evidence_dossier, "bundle", begun.append)
    with pytest.raises(BadInput, match="no_c2pa"):
        dossier(tmp_path, beside=(Beside("r2", "label", label, bare, Stretch(), 0),))
    assert begun == []


def test_without_the_package_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(BadInput, match="no_c2pa"):
        dossier(tmp_path)
