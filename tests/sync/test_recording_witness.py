"""The centre as a recording's witness: heads while it runs, its word afterwards; every forgery is found offline."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.audit import canonical
from app.evidence.dossier import make_dossier
from app.evidence.journal import NO_HASH, parse_record, seal_record
from app.evidence.journal import Signer as RecordSigner
from app.evidence.ledger import load
from app.evidence.verify import Trust, verify_recording
from app.evidence.witness import PREVIOUS_FILE, VERIFIER, WITNESS_FILE
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.keys import Signer, new_seed
from app.recorder.sink import Take
from app.server import checkpoints
from app.server.setup import OpenCentre
from app.station.clock import Clock
from app.station.rounds import Ground
from app.station.witnessing import Witnessing
from app.store.notes import origin_of, read_checkpoint, sign_checkpoint
from tests.sync.conftest import Party, stamp

W, H = 64, 48


class Camera:
    """A station that films: a take of the recorder's own, frame by frame, with the thread's look in between."""

    def __init__(self, party: Party, recordings: Path) -> None:
        self.party, self.recordings = party, recordings
        ground = Ground(party.writer, Clock("boot"), lambda _change: None, party.crashes.append)
        self.witnessing = Witnessing(ground, recordings, lambda: None)

    def film(self, name: str, looks: int = 3) -> Path:
        """Two seconds of pictures between two looks; closed, as the station closes it."""
        store = self.party.writer
        known = store.call(lambda s: s.new_recording(name, "p-1", stamp(), "1001"))
        previous = store.call(lambda s: s.last_recording_hash()) or NO_HASH
        seed = store.call(lambda s: s.signing_seed)
        origin = Origin(name, "sim:", True, True, "0.1.0", previous, {"waybill": "SF1234567890123"})
        folder = self.recordings / name
        closed: list[Any] = []
        take = Take(name, create_recording(folder, RecordingKeys(known.key, seed), origin), closed.append)
        planes = np.full(W * H * 3 // 2, 90, np.uint8)
        for n in range(looks * 60):
            planes[n % planes.size] = 200
            take.frame(planes, 10_000_000 + n * 33_333, W, H)
            if n % 60 == 59:
                assert self.witnessing.look() == 1
                assert self.witnessing.look() == 0  # nothing new
        take.close("sealed")
        end = next(one for one in closed if type(one).__name__ == "RecordingClosed")
        store.call(lambda s: s.close_recording(name, end.head, end.root, end.frames, stamp(), "1001"))
        return folder

    def meet(self) -> None:
        """A round with the centre, footage's folder known."""

        async def run() -> None:
            exchange = self.party.exchange()
            exchange.recordings = self.recordings
            async with exchange.client:
                await exchange._push()
                await exchange._witness_lane()

        asyncio.run(run())


@pytest.fixture
def camera(party: Party, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Camera:
    monkeypatch.setattr(checkpoints, "EVERY_ENTRIES", 1)
    (tmp_path / "recordings").mkdir()
    return Camera(party, tmp_path / "recordings")


def told(path: Path, *options: str) -> dict[str, Any]:
    """What the verifier says that travels with dossiers."""
    asked = [sys.executable, str(VERIFIER), str(path), *options]
    found: dict[str, Any] = json.loads(subprocess.run(asked, capture_output=True, text=True, check=False).stdout)
    return found


def dossier(camera: Camera, folder: Path, out: Path) -> Path:
    known = camera.party.writer.call(lambda s: s.find_recording(folder.name))
    assert known is not None
    make_dossier(folder, RecordingKeys(known.key, camera.party.store.signing_seed), out.with_suffix(".zip"))
    shutil.unpack_archive(out.with_suffix(".zip"), out)
    return out


def test_heads_go_out_and_the_word_comes_back(camera: Camera, centre: OpenCentre, tmp_path: Path) -> None:
    camera.film("r-1")
    folder = camera.film("r-2")
    before = told(dossier(camera, folder, tmp_path / "without"))
    assert before["ok"]
    assert before["witness"] is None
    assert any("no witness" in line for line in before["not_proven"])
    assert "no_witness" in verify_recording(folder).notes
    camera.meet()
    events = [json.loads(event.data) for event in camera.party.writer.call(lambda s: s.outbox_after(0))]
    heads = [event["body"] for event in events if event["kind"] == "recording.head"]
    assert [body["recording"] for body in heads] == ["r-1"] * 3 + ["r-2"] * 3
    verdict = verify_recording(folder, trust=Trust(centre.centre.root_key))
    assert verdict.ok
    assert verdict.witness is not None
    assert verdict.witness["heads_compared"] == 3
    assert not {"no_witness", "root_not_pinned", "witness_uncertified"} & set(verdict.notes)
    assert "root_not_pinned" in verify_recording(folder).notes
    report = told(dossier(camera, folder, tmp_path / "d"), "--root-key", centre.centre.root_key)
    assert report["ok"], report
    assert report["witness"]["certified"]
    assert report["witness"]["epoch"] == centre.epoch
    assert report["previous"] == load(camera.recordings / "r-1").head
    assert report["previous_closed"]
    assert any("not signed anew since 20" in line for line in report["proven"]) or report["proven"]
    assert not any("no witness" in line for line in report["not_proven"])
    again = camera.party.writer.call(lambda s: s.queue())
    camera.meet()  # nothing is asked or written twice
    assert camera.party.writer.call(lambda s: s.queue()).head == again.head


def test_a_centre_that_has_no_checkpoint_yet_is_asked_later(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    camera.film("r-1", looks=1)
    camera.meet()
    monkeypatch.setattr(checkpoints, "EVERY_ENTRIES", 1000)
    folder = camera.film("r-2", looks=1)
    camera.meet()
    assert not (folder / WITNESS_FILE).exists()
    assert camera.party.writer.call(lambda s: s.retry_state("witness")).failures == 0
    monkeypatch.setattr(checkpoints, "EVERY_ENTRIES", 1)
    camera.meet()
    assert (folder / WITNESS_FILE).exists()


def resigned(folder: Path, seed: bytes, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """As a thief of the station's key would: change or drop records, and sign everything anew."""
    lines = (folder / "journal.jsonl").read_bytes().split(b"\n")[:-1]
    made, prev = [], NO_HASH
    for line in lines:
        fields = {k: v for k, v in json.loads(line).items() if k not in ("chain", "sig")}
        kept = change(fields)
        if kept is None:
            continue
        made.append(seal_record({**kept, "n": len(made), "prev": prev}, RecordSigner(seed)))
        prev = parse_record(made[-1][:-1], len(made) - 1, prev).chain
    (folder / "journal.jsonl").write_bytes(b"".join(made))


def test_who_signs_anew_contradicts_the_centre(camera: Camera, tmp_path: Path) -> None:
    """With the station's own key in hand: a changed event, and an end that is cut off."""
    folder = camera.film("r-1")
    camera.meet()
    seed = camera.party.writer.call(lambda s: s.signing_seed)

    def later(fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "wall_us": fields["wall_us"] + 5}

    resigned(folder, seed, later)
    fault = verify_recording(folder).fault
    assert fault is not None
    assert fault.code == "evidence.witness_wrong"
    assert "wrong" in told(dossier(camera, folder, tmp_path / "d"))
    bare = folder / WITNESS_FILE
    bare.unlink()  # without the witness nobody sees it: that is said
    verdict = verify_recording(folder)
    assert verdict.ok
    assert "no_witness" in verdict.notes


FORGERIES = {
    "a later time": lambda b, k: _stated(b, k.server, closed_ms=1),
    "another final hash": lambda b, k: _stated(b, k.server, final_hash="ab" * 32),
    "a head that never was": lambda b, k: _headed(b, k.server, 0, head="cd" * 32),
    "a record behind the end": lambda b, k: _headed(b, k.server, -1, n=10_000),
    "another recording": lambda b, k: _stated(b, k.server, recording="r-9"),
    "signed by a stranger": lambda b, k: _stated(b, k.stranger),
    "a server key of a stranger's": lambda b, k: {**_stated(b, k.stranger), "centre": k.strange_server(b)},
    "a root of a stranger's": lambda b, k: k.strange_root(b),
    "no certificate": lambda b, k: {**b, "centre": {**b["centre"], "server": None}},
    "a certificate for another key": lambda b, k: k.wrong_certificate(b),
    "another checkpoint": lambda b, k: k.noted(b, size_more=1),
    "a checkpoint by a stranger": lambda b, k: k.noted(b, stranger=True),
    "another epoch": lambda b, k: _stated(b, k.server, epoch="other"),
    "another place": lambda b, k: {**b, "leaf": b["leaf"] + 1},
    "a place outside": lambda b, k: {**b, "leaf": 10_000},
    "a proof too short": lambda b, k: {**b, "proof": b["proof"][:-1]},
    "a proof too long": lambda b, k: {**b, "proof": [*b["proof"], "ab" * 32]},
    "another closing event": lambda b, k: {**b, "event": b["event"].replace('"frames":', '"frames":1')},
    "half of it": lambda b, k: {"centre": b["centre"]},
    "no object": lambda b, k: [b],
}


def _stated(bundle: dict[str, Any], by: Signer, **changes: Any) -> dict[str, Any]:
    """The centre's statement changed; signed as if by the centre only where that is the forgery."""
    text = canonical({**json.loads(bundle["witnessed"]["text"]), **changes}).decode()
    old = bundle["witnessed"]["sig"]
    signs = "closed_ms" in changes or "epoch" in changes
    sig = old if signs else base64.b64encode(by.sign(text.encode())).decode()
    return {**bundle, "witnessed": {"text": text, "sig": sig}}


def _headed(bundle: dict[str, Any], by: Signer, at: int, **changes: Any) -> dict[str, Any]:
    heads = json.loads(bundle["witnessed"]["text"])["heads"]
    heads[at] = {**heads[at], **changes}
    return _stated(bundle, by, heads=heads)


class Forger:
    """Keys of a stranger, and the centre's own for the forgeries that only the centre itself could make."""

    def __init__(self, centre: OpenCentre) -> None:
        self.centre, self.server, self.stranger = centre, centre.signer, Signer(new_seed())

    def _certificate(self, bundle: dict[str, Any], key: str) -> dict[str, str]:
        tenant = bundle["centre"]["tenant"]
        text = canonical({"type": "server-key", "tenant": tenant, "public_key": key}).decode()
        return {"text": text, "sig": base64.b64encode(self.stranger.sign(text.encode())).decode()}

    def strange_server(self, bundle: dict[str, Any]) -> dict[str, Any]:
        return {**bundle["centre"], "server_key": self.stranger.public_key.hex()}

    def strange_root(self, bundle: dict[str, Any]) -> dict[str, Any]:
        key = self.stranger.public_key.hex()
        certificate = self._certificate(bundle, bundle["centre"]["server_key"])
        return {**bundle, "centre": {**bundle["centre"], "root_key": key, "server": certificate}}

    def wrong_certificate(self, bundle: dict[str, Any]) -> dict[str, Any]:
        certificate = self._certificate(bundle, self.stranger.public_key.hex())
        return {**bundle, "centre": {**bundle["centre"], "server": certificate}}

    def noted(self, bundle: dict[str, Any], size_more: int = 0, stranger: bool = False) -> dict[str, Any]:
        origin = origin_of(self.centre.centre.tenant, self.centre.epoch)
        shown = read_checkpoint(bundle["note"], origin, [self.server.public_key])
        other = type(shown)(shown.origin, shown.size + size_more, shown.root)
        return {**bundle, "note": sign_checkpoint(other, self.stranger if stranger else self.server)}


def test_every_forged_word_is_found_by_both_verifiers(camera: Camera, centre: OpenCentre, tmp_path: Path) -> None:
    camera.film("r-0", looks=1)
    folder = camera.film("r-1")
    camera.meet()
    place = dossier(camera, folder, tmp_path / "d")
    honest, root = (place / WITNESS_FILE).read_bytes(), centre.centre.root_key
    bundle = json.loads(honest)
    assert told(place, "--root-key", root)["ok"]
    for name, forge in FORGERIES.items():
        data = json.dumps(forge(bundle, Forger(centre))).encode()
        (folder / WITNESS_FILE).write_bytes(data)
        fault = verify_recording(folder, trust=Trust(root)).fault
        assert fault is not None, name
        assert fault.code == "evidence.witness_wrong", name
        if name in ("a later time", "a head that never was", "a root of a stranger's", "another place"):
            (place / WITNESS_FILE).write_bytes(data)
            assert "wrong" in told(place, "--root-key", root), name
    (place / WITNESS_FILE).write_bytes(honest)
    assert told(place, "--root-key", root)["ok"]
    assert "wrong" in told(place, "--root-key", "ab" * 32)
    assert "wrong" in told(place, "--station-key", "ab" * 32)
    previous = place / PREVIOUS_FILE
    whole = previous.read_bytes()
    lines = (camera.recordings / "r-0" / "journal.jsonl").read_bytes().split(b"\n")
    for forged in (lines[0] + b"\n", whole.replace(b'"dropped":0', b'"dropped":7'), b"nonsense\n"):
        previous.write_bytes(forged)
        assert "wrong" in told(place), forged
    previous.unlink()
    assert "wrong" in told(place)  # the list of files names it
    shutil.rmtree(camera.recordings / "r-0")
    (folder / WITNESS_FILE).write_bytes(json.dumps(bundle).encode())
    alone = told(dossier(camera, folder, tmp_path / "alone"))
    assert any("came before it" in line for line in alone["not_proven"])
