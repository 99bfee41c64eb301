"""Pictures in, answers out: right or null, and a clear word for files that are no pictures."""

from __future__ import annotations

import io
import json
import socket
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp

from app.core.cards import UNREADABLE, Barcode, FieldState, PanelState
from app.core.products import Catalogue
from app.eye import oneshot
from app.eye.oneshot import read_file, read_picture, run_read
from app.rehearsal.pictures import render_card_picture
from app.vision import models
from app.vision.look import Looker
from app.vision.picture.files import PLENTY_PIXELS

KEYS = {
    "medium",
    *("file", "barcodes", "gtin", "number", "pin", "pin_state", "pin_legible", "expiry", "expiry_printed"),
    *("face_value", "currency", "batch", "region", "warnings", "quad", "confidence", "ms"),
}


@pytest.mark.parametrize("seed", [611, 612, 613, 614])
def test_an_easy_card_is_read_right_or_not_at_all(looker: Looker, seed: int) -> None:
    picture, labels = render_card_picture(seed, "easy")
    answer = read_picture(np.ascontiguousarray(picture), looker, Catalogue())
    for field in ("number", "pin", "expiry", "face_value"):
        assert answer[field] in (labels[field], None), field
    assert answer["gtin"] in ((labels["gtin"] or "").zfill(14), None)
    assert answer["number"] == labels["number"]


@pytest.mark.parametrize("state", ["covered", "partial"])
def test_a_covered_pin_is_no_pin(looker: Looker, state: str) -> None:
    picture, _ = render_card_picture(640, "easy", state)
    answer = read_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert answer["pin"] is None
    assert answer["pin_state"] != "open"


def test_a_card_upside_down_reads_the_same(looker: Looker) -> None:
    picture, labels = render_card_picture(611, "easy")
    answer = read_picture(np.ascontiguousarray(picture[::-1, ::-1]), looker, Catalogue())
    assert answer["number"] == labels["number"]
    height, width = picture.shape[:2]
    top_left = np.array(answer["quad"][0])
    assert np.abs(top_left - (width - labels["card_quad"][0][0], height - labels["card_quad"][0][1])).max() < 12


def test_a_card_without_a_symbol_is_not_searched_twice(looker: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    monkeypatch.setattr(oneshot, "search_codes", lambda _: searched.append(1) or [])
    picture, labels = render_card_picture(611, "easy")
    found = oneshot.conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    assert labels["barcodes"]
    oneshot.told(np.ascontiguousarray(picture), replace(found, gtin=None, barcodes=()))
    assert not searched
    oneshot.told(np.ascontiguousarray(picture), replace(found, gtin=None, barcodes=(), panel=PanelState.NONE))
    assert searched
    searched.clear()
    unread, nothing = replace(found, gtin=None, barcodes=(), number=UNREADABLE), replace(found.pin, chars=())
    oneshot.told(np.ascontiguousarray(picture), unread)
    assert not searched, "a PIN in its panel makes a card as much as a number does"
    oneshot.told(np.ascontiguousarray(picture), replace(unread, pin=nothing))
    assert searched
    searched.clear()
    oneshot.told(np.ascontiguousarray(picture), replace(found, panel=PanelState.NONE))
    assert not searched, "a GTIN that two readings agree on needs no third"


def test_a_card_is_done_once_its_fields_are_read_unless_a_product_was_half_read(looker: Looker) -> None:
    picture, _ = render_card_picture(611, "easy")
    found = oneshot.conclude_picture(np.ascontiguousarray(picture), looker, Catalogue())
    assert found is not None
    fields = replace(found, gtin=None, number=replace(found.number, state=FieldState.READ))
    fields = replace(fields, pin=fields.number)
    assert replace(fields, barcodes=(Barcode("CODE128", "1534351478778055"),)).sure
    assert not replace(fields, barcodes=(Barcode("EAN13", "6924985861422"),)).sure


def test_an_empty_mat_gives_nulls(looker: Looker) -> None:
    answer = read_picture(np.full((720, 1280, 3), 80, np.uint8), looker, Catalogue())
    assert answer["quad"] is None
    assert [answer[k] for k in ("gtin", "number", "pin", "expiry", "face_value")] == [None] * 5


def test_the_answer_has_the_agreed_keys(looker: Looker, tmp_path: Path) -> None:
    file = tmp_path / "mat.png"
    cv2.imwrite(str(file), np.full((720, 1280, 3), 80, np.uint8))
    assert set(read_file(file, looker, Catalogue())) == KEYS


def test_bad_files_are_named_and_the_others_read(
    tmp_path: Path, looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oneshot, "make_looker", lambda *_: looker)
    good = tmp_path / "good.png"
    cv2.imwrite(str(good), np.full((720, 1280, 3), 80, np.uint8))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "words.jpg").write_text("not a picture")
    (tmp_path / "half.png").write_bytes(good.read_bytes()[:60])
    names = ["words.jpg", "empty.png", "half.png", "gone.png", "good.png"]
    out, err = io.StringIO(), io.StringIO()
    status = run_read([tmp_path / n for n in names], Catalogue(), out, err)
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert status == 2
    assert [a["file"] for a in answers] == names
    assert [a.get("error", {}).get("code") for a in answers] == [
        "input.not_an_image",
        "input.empty",
        "input.truncated",
        "input.missing",
        None,
    ]
    assert "gone.png" in err.getvalue()


@pytest.mark.warns
def test_a_picture_that_the_reader_fails_over_does_not_keep_the_others_from_being_read(
    tmp_path: Path, looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oneshot, "make_looker", lambda *_: looker)
    for name, shade in (("a.png", 80), ("b.png", 81), ("c.png", 80)):
        cv2.imwrite(str(tmp_path / name), np.full((90, 160, 3), shade, np.uint8))

    def read(picture: np.ndarray, *_: object) -> dict[str, object]:
        if picture[0, 0, 0] == 81:
            raise cv2.error("it says 6217000010001234567")
        return {"quad": None}

    monkeypatch.setattr(oneshot, "read_picture", read)
    out, err = io.StringIO(), io.StringIO()
    assert run_read([tmp_path / f"{n}.png" for n in "abc"], Catalogue(), out, err) == 1
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [a.get("error", {}).get("code") for a in answers] == [None, "reading.failed", None]
    assert "b.png" in err.getvalue()
    assert "6217" not in err.getvalue() + out.getvalue()
    (tmp_path / "a.png").write_bytes(b"")
    assert run_read([tmp_path / f"{n}.png" for n in "ab"], Catalogue(), out, err) == 2, "the files are told first"


def test_a_missing_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.vision.text.recognise.models_folder", lambda: tmp_path)
    out, err = io.StringIO(), io.StringIO()
    assert run_read([], Catalogue(), out, err) == 2
    assert "reading.model_missing" in err.getvalue()


def test_a_broken_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(models.BadInput) as caught:
        models.load_model(tmp_path / "model.onnx")
    assert caught.value.code == "reading.model_damaged"
    for name in ("gone.onnx", models.DETECTOR):
        with pytest.raises(models.BadInput, match=rf"{name}$"):
            models.load_model(tmp_path / name)


def test_places_are_told_in_pixels_of_the_file(looker: Looker, tmp_path: Path) -> None:
    picture, labels = render_card_picture(611, "easy")
    large = cv2.resize(np.ascontiguousarray(picture), None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    assert large.shape[0] * large.shape[1] > PLENTY_PIXELS / 2
    cv2.imwrite(str(tmp_path / "large.jpg"), cv2.resize(large, (7680, 4320)))
    answer = read_file(tmp_path / "large.jpg", looker, Catalogue())
    times = 7680 / picture.shape[1]
    wanted = np.array(labels["card_quad"]) * times
    assert answer["number"] == labels["number"]
    assert np.abs(np.array(answer["quad"]) - wanted).max() < 12 * times


def test_a_symbol_alone_is_read_without_a_card(looker: Looker) -> None:
    row = np.array(zxingcpp.create_barcode("6924985861422", zxingcpp.BarcodeFormat.EAN13).to_image(scale=2))
    plate = np.pad(row if row.ndim == 2 else row[..., 0], 40, constant_values=240)
    answer = read_picture(cv2.cvtColor(cv2.GaussianBlur(plate, (0, 0), 1.3), cv2.COLOR_GRAY2BGR), looker, Catalogue())
    assert answer["gtin"] == "06924985861422"
    assert [b["text"] for b in answer["barcodes"]] == ["6924985861422"]


def test_a_link_that_names_a_product_gives_its_gtin_on_what_looks_like_a_card(looker: Looker) -> None:
    code = zxingcpp.create_barcode("https://id.gs1.org/01/06924985861422/21/ABC123", zxingcpp.BarcodeFormat.QRCode)
    image = np.array(code.to_image(scale=9))
    plate = np.pad(image if image.ndim == 2 else image[..., 0], 60, constant_values=255)
    picture = np.full((800, 1000, 3), (60, 90, 70), np.uint8)
    picture[140 : 140 + plate.shape[0], 200 : 200 + plate.shape[1]] = plate[..., None]
    answer = read_picture(picture, looker, Catalogue())
    assert answer["quad"] is not None
    assert answer["gtin"] == "06924985861422"


def test_nothing_is_looked_up_anywhere(looker: Looker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network look-up")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    code = zxingcpp.create_barcode("https://card.example/01/06901234567892?x=1", zxingcpp.BarcodeFormat.QRCode)
    image = np.array(code.to_image(scale=5))
    picture = np.pad(image if image.ndim == 2 else image[..., 0], 60, constant_values=255)
    answer = read_picture(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), looker, Catalogue())
    assert [b["format"] for b in answer["barcodes"]] == ["QR"]
    read_picture(np.ascontiguousarray(render_card_picture(612, "easy")[0]), looker, Catalogue())


def test_an_all_black_picture_gives_nulls(looker: Looker) -> None:
    answer = read_picture(np.zeros((720, 1280, 3), np.uint8), looker, Catalogue())
    assert answer["barcodes"] == []
    assert [answer[k] for k in ("gtin", "number", "pin", "expiry", "face_value")] == [None] * 5


@pytest.mark.parametrize("name", [models.DETECTOR, models.RECOGNISER])
@pytest.mark.parametrize("harm", ["one bit", "cut off", "empty"])
def test_a_damaged_model_is_said_before_it_reads_anything(tmp_path: Path, name: str, harm: str) -> None:
    whole = bytearray((models.models_folder() / name).read_bytes())
    whole[len(whole) // 3] ^= 1
    kept = {"one bit": whole, "cut off": whole[: len(whole) // 2], "empty": b""}[harm]
    (tmp_path / name).write_bytes(kept)
    with pytest.raises(models.BadInput, match="damaged") as caught:
        models.load_model(tmp_path / name)
    assert caught.value.code == "reading.model_damaged"


def test_no_model_keeps_to_one_core_whatever_others_are_free() -> None:
    """Two eyes of one thread each sat on the first of two cores: each read at half the speed."""
    model = models.load_model(models.models_folder() / models.DETECTOR)
    compiled = models.compile_model(model, threads=1, shape=(1, 3, 64, 64))
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


def test_a_model_with_another_head_is_refused() -> None:
    detector = models.load_model(models.models_folder() / models.DETECTOR)
    with pytest.raises(models.BadInput, match="not the one expected"):
        models.narrow_head(detector, [0, 1])
