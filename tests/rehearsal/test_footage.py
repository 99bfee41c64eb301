"""Footage has the right frames at the right times, shows what its labels say, and appears whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import zxingcpp

from app.rehearsal.deck import DECKS, Deck, Timing, load_deck
from app.rehearsal.footage import (
    FPS,
    SIZES,
    Film,
    build_scene,
    cached_unboxing,
    labels_path,
    render_unboxing,
    unboxing_path,
)
from app.rehearsal.products import load_studio_products

PRODUCTS = load_studio_products()
QUICK = Timing(0.2, 0.3, 0.3, 0.3, 0.2, 0.2, 1.0, 0.2, 0.1, 0.3)


@pytest.fixture(scope="module")
def deck() -> Deck:
    return load_deck(DECKS / "two_cards.toml", PRODUCTS)


@pytest.fixture(scope="module")
def filmed(deck: Deck, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[tuple[int, int]]]:
    """The short deck with quick hands at 360p: the file, its labels, the progress that was told."""
    told: list[tuple[int, int]] = []
    out = tmp_path_factory.mktemp("footage") / "quick.mp4"
    quick = replace(deck, timing=QUICK)
    render_unboxing(quick, PRODUCTS, out, SIZES["360p"], lambda done, total: told.append((done, total)))
    return out, json.loads(labels_path(out).read_text(encoding="utf-8")), told


def test_every_frame_has_its_time(filmed: tuple[Path, dict[str, Any], Any]) -> None:
    path, labels, told = filmed
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", 640, 360)
        assert video.average_rate == FPS
        times = [frame.pts * frame.time_base for frame in container.decode(video)]
    assert times == [Fraction(index, FPS) for index in range(labels["frames"])]
    assert labels["seconds"] == pytest.approx(len(times) / FPS, abs=1e-3)
    assert told == [(done, len(times)) for done in range(1, len(times) + 1)]


def test_labels_tell_the_deck_and_the_truth(filmed: tuple[Path, dict[str, Any], Any], deck: Deck) -> None:
    _, labels, _ = filmed
    assert labels["waybill"] == deck.waybill
    assert labels["declared_count"] == deck.declared_count
    assert [card["product"] for card in labels["cards"]] == [card.product for card in deck.cards]
    assert labels["cards"][0]["chip_uid"] == deck.cards[0].chip_uid
    for card in labels["cards"]:
        product = PRODUCTS[card["product"]]
        assert product.number.matches(card["number"])
        assert product.pin.matches(card["pin"])
        assert card["gtin"].zfill(14) in product.gtins
        assert card["move_in_s"] < card["still_start_s"] < card["still_end_s"] < card["out_end_s"] <= labels["seconds"]
        assert np.array(card["card_quad"]).shape == (4, 2)


def test_nothing_half_written_lies_beside_the_footage(filmed: tuple[Path, dict[str, Any], Any]) -> None:
    path, _, _ = filmed
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["quick.labels.json", "quick.mp4"]


def test_a_render_that_breaks_off_leaves_nothing(deck: Deck, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, _total: int) -> None:
        if done == 3:
            raise Stop

    with pytest.raises(Stop):
        render_unboxing(replace(deck, timing=QUICK), PRODUCTS, tmp_path / "cut.mp4", SIZES["360p"], stop)
    assert list(tmp_path.iterdir()) == []


def picture(film: Film, second: float) -> np.ndarray:
    return cv2.cvtColor(film.frame(round(second * FPS)), cv2.COLOR_YUV2BGR_I420)


def test_a_still_card_can_be_read_where_the_labels_say(deck: Deck) -> None:
    scene = build_scene(deck, PRODUCTS, SIZES["1080p"])
    film = Film(scene)
    for actor, plan in zip(scene.stage.cards, scene.plans, strict=True):
        seen = picture(film, (actor.times.still_start_s + actor.times.still_end_s) / 2)
        assert {code.text for code in plan.content.barcodes} <= {code.text for code in zxingcpp.read_barcodes(seen)}
    parcel = scene.stage.timeline.parcel
    label = picture(film, parcel.cut_s - 0.1)
    assert deck.waybill in {code.text for code in zxingcpp.read_barcodes(label)}


def test_between_cards_the_table_is_empty(deck: Deck) -> None:
    scene = build_scene(deck, PRODUCTS, SIZES["360p"])
    first, second = scene.stage.cards
    assert scene.stage.layers((first.times.out_end_s + second.times.move_in_s) / 2) == []
    assert scene.stage.layers(0.0) == []


def test_the_same_deck_gives_the_same_frames_and_another_seed_others(deck: Deck) -> None:
    def frames(which: Deck) -> list[bytes]:
        film = Film(build_scene(which, PRODUCTS, SIZES["360p"]))
        return [film.frame(index).tobytes() for index in (10, 45, 70, 140)]

    first = frames(deck)
    assert frames(deck) == first
    assert all(a != b for a, b in zip(first, frames(replace(deck, seed=3)), strict=True))


def test_frames_do_not_depend_on_what_was_shown_before(deck: Deck) -> None:
    scene = build_scene(deck, PRODUCTS, SIZES["360p"])
    walked, jumped = Film(scene), Film(scene)
    for index in range(128, 141):
        last = walked.frame(index)
    assert last.tobytes() == jumped.frame(140).tobytes()


def test_the_cache_renders_once(deck: Deck, tmp_path: Path) -> None:
    quick = replace(deck, timing=QUICK, cards=deck.cards[:1])
    told: list[int] = []

    def count(done: int, _total: int) -> None:
        told.append(done)

    first = cached_unboxing(quick, PRODUCTS, tmp_path / "cache", SIZES["360p"], count)
    rendered = len(told)
    assert cached_unboxing(quick, PRODUCTS, tmp_path / "cache", SIZES["360p"], count) == first
    assert len(told) == rendered > 0


def test_the_cache_name_follows_deck_and_size(deck: Deck, tmp_path: Path) -> None:
    names = {
        unboxing_path(deck, tmp_path, SIZES["720p"]),
        unboxing_path(deck, tmp_path, SIZES["1080p"]),
        unboxing_path(replace(deck, seed=9), tmp_path, SIZES["720p"]),
        unboxing_path(replace(deck, timing=QUICK), tmp_path, SIZES["720p"]),
    }
    assert len(names) == 4
    assert unboxing_path(deck, tmp_path, SIZES["720p"]) in names
