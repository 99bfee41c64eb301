"""A recording goes in, its cards come out, each once; what is no recording is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from app.core.products import Catalogue
from app.eye import replay
from app.eye.replay import run_replay
from app.eye.watcher import Watcher
from app.rehearsal.pictures import render_card_picture
from app.vision.look import Looker


def story(card: np.ndarray) -> Iterator[np.ndarray]:
    """An empty mat, a card sliding in and lying, an empty mat again."""
    empty = np.full_like(card, (70, 76, 72))
    for _ in range(6):
        yield empty
    for step in range(8, 0, -1):
        yield np.concatenate([empty[:, : step * 120], card[:, : card.shape[1] - step * 120]], axis=1)
    for _ in range(22):
        yield card
    for step in range(1, 10):
        yield np.concatenate([card[:, step * 120 :], empty[:, : step * 120]], axis=1)
    for _ in range(10):
        yield empty


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    picture, labels = render_card_picture(612, "easy")
    small = cv2.resize(np.ascontiguousarray(picture), (1280, 720), interpolation=cv2.INTER_AREA)
    path = tmp_path_factory.mktemp("film") / "one.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "18", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for frame in story(small):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    return path, labels


def test_a_card_in_a_film_is_read_once(
    film: tuple[Path, dict[str, object]], looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "make_looker", lambda *_: looker)
    path, labels = film
    out, err = io.StringIO(), io.StringIO()
    assert run_replay(path, out, err, Catalogue()) == 0
    *cards, last = [json.loads(line) for line in out.getvalue().splitlines()]
    assert last["summary"]["cards"] == len(cards) == 1
    assert last["summary"]["frames"] == 55
    assert cards[0]["number"] in (labels["number"], None)
    assert cards[0]["gtin"] in (str(labels["gtin"] or "").zfill(14), None)
    assert 0 <= cards[0]["t_start_s"] < cards[0]["t_end_s"] <= last["summary"]["video_s"]


@pytest.mark.parametrize(("content", "code"), [(b"", "input.empty"), (b"no film", "input.not_a_video")])
def test_what_is_no_film_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    err = io.StringIO()
    assert run_replay(path, io.StringIO(), err) == 2
    assert code in err.getvalue()


def test_a_missing_film_is_said(tmp_path: Path) -> None:
    err = io.StringIO()
    assert run_replay(tmp_path / "gone.mp4", io.StringIO(), err) == 2
    assert "input.missing" in err.getvalue()


def coded(pictures: list[np.ndarray]) -> bytes:
    """Pictures of one size as a bare H.264 stream."""
    context = av.CodecContext.create("libx264", "w")
    context.height, context.width = pictures[0].shape[:2]
    context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, 30), Fraction(30, 1)
    context.options = {"preset": "ultrafast", "tune": "zerolatency"}
    packets = []
    for at, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts = at
        packets += context.encode(frame)
    return b"".join(bytes(packet) for packet in [*packets, *context.encode(None)])


def test_a_film_whose_pictures_change_size_is_seen_to_its_end(tmp_path: Path, looker: Looker) -> None:
    sizes = [(240, 320), (360, 640), (480, 320), (240, 320)]
    path = tmp_path / "changing.h264"
    path.write_bytes(b"".join(coded([np.full((*size, 3), 70, np.uint8)] * 4) for size in sizes))
    watcher = Watcher(looker, Catalogue())
    seen = []
    for glimpse in replay.film(path):
        watcher.see(glimpse)
        seen.append(glimpse.y.shape)
        assert glimpse.colour().shape == (*glimpse.y.shape, 3)
    assert list(dict.fromkeys(seen)) == sizes[:3]
    assert len(seen) == 16


def test_a_film_of_odd_size_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 321, 241, "bgr0"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((241, 321, 3), 90, np.uint8), "bgr24")))
        container.mux(stream.encode(None))
    seen = list(replay.film(path))
    assert [g.colour().shape for g in seen] == [(240, 320, 3)] * 3
    assert all(abs(int(g.colour().mean()) - 90) < 3 for g in seen)


def test_a_folder_is_no_film(tmp_path: Path) -> None:
    err = io.StringIO()
    assert run_replay(tmp_path, io.StringIO(), err) == 2
    assert "input." in err.getvalue()
