"""The seven checks of a card. Their order is fixed; switching the chip off is always last, only for accepted cards."""

from __future__ import annotations

from app.core.cards import CardRead, CardState, FieldReading, FieldState, PanelState, Sighting, Tag
from app.core.chips import ChipStand
from app.core.parcels import CardDraft, Reason, TrayCard
from ui.scene import Scene, card_chip
from ui.views import CheckRow, Chip, Tone

_ROWS = (
    ("barcode", "scan-barcode"),
    ("number", "hash"),
    ("pin", "key-round"),
    ("panel", "shield-check"),
    ("issuer", "building-2"),
    ("risk", "gauge"),
    ("nfc", "nfc"),
)
_ICON = dict(_ROWS)


def _row(scene: Scene, name: str, value: str, chip: Chip, **flags: bool) -> CheckRow:
    return CheckRow(_ICON[name], scene.say(f"row.{name}"), value, chip, **flags)


def _wait(scene: Scene, name: str, word: str) -> CheckRow:
    return _row(scene, name, scene.say(word), Chip(Tone.IDLE, scene.say("chip.wait")), quiet=True)


def _later(scene: Scene, tag: Tag | None) -> tuple[CheckRow, CheckRow, CheckRow]:
    """Issuer, risk and chip: what comes after the station's own reading."""
    return (_wait(scene, "issuer", "row.issuer.wait"), _wait(scene, "risk", "row.risk.wait"), nfc_row(scene, tag))


_CHIP_TONE = {ChipStand.OFF: Tone.OK, ChipStand.DESTROYED: Tone.OK}


def nfc_row(scene: Scene, tag: Tag | None, stand: ChipStand | None = None) -> CheckRow:
    if tag is not None and stand is not None:
        told = Chip(_CHIP_TONE.get(stand, Tone.WARN), scene.say(f"slot.chip.{stand.value}"))
        return _row(scene, "nfc", tag.family, told)
    chip = Chip(Tone.IDLE, scene.say("chip.wait"))
    value = scene.say("row.nfc.chip", family=tag.family) if tag else scene.say("row.nfc.wait")
    return _row(scene, "nfc", value, chip, quiet=True)


def empty(scene: Scene, tag: Tag | None = None) -> tuple[CheckRow, ...]:
    """No card on the mat: all seven rows wait."""
    waiting = tuple(_wait(scene, name, "row.wait-card") for name in ("barcode", "number", "pin", "panel"))
    return (*waiting, *_later(scene, tag))


def while_reading(scene: Scene, sighting: Sighting | None, tag: Tag | None) -> tuple[CheckRow, ...]:
    """The eye is at it: rows turn as their zones settle."""
    settled = {z.kind for z in sighting.zones if z.settled} if sighting else set()
    rows = []
    for name in ("barcode", "number", "pin", "panel"):
        if name in settled:
            rows.append(_row(scene, name, "", Chip(Tone.OK, scene.say("chip.read"))))
        else:
            chip = Chip(Tone.INFO, scene.say("chip.reading"), "loader-circle")
            rows.append(_row(scene, name, scene.say("row.searching"), chip))
    return (*rows, *_later(scene, tag))


def of_read(scene: Scene, read: CardRead, field: str, tag: Tag | None) -> tuple[CheckRow, ...]:
    """A read card; `field` ("number" or "pin") is the row in question."""
    has_pin = _has_pin(scene, read)
    return (
        _barcode(scene, read.gtin, read.region, read.batch),
        _field(scene, "number", read.number, field == "number"),
        _field(scene, "pin", read.pin, field == "pin") if has_pin else _no_pin(scene),
        _panel(scene, read.panel, read.legible, read.torn),
        *_later(scene, tag),
    )


def _has_pin(scene: Scene, read: CardRead) -> bool:
    product = scene.catalogue.by_id(read.product_id)
    return product is None or product.pin is not None


def _barcode(scene: Scene, gtin: str | None, region: str | None, batch: str | None) -> CheckRow:
    more = origin(scene, region, batch)
    if gtin is None:
        chip = Chip(Tone.WARN, scene.say("chip.not-read"))
        return _row(scene, "barcode", more or scene.say("row.barcode.none"), chip)
    shown = gtin[1:] if gtin.startswith("0") else gtin
    if more:  # the row has room for the ends of both
        shown, more = f"…{gtin[-5:]}", " · ".join(part for part in (region, batch) if part)
    chip = Chip(Tone.OK, scene.say("chip.match"))
    return _row(scene, "barcode", " · ".join(part for part in (shown, more) if part), chip, mono=True)


def origin(scene: Scene, region: str | None, batch: str | None) -> str:
    """Where a card is for and its batch, as far as it says: "CN · 批 A17"."""
    told = (region or "", scene.say("card.batch", batch=batch) if batch else "")
    return " · ".join(part for part in told if part)


def _no_pin(scene: Scene) -> CheckRow:
    return _row(scene, "pin", scene.say("row.pin.none"), Chip(Tone.IDLE, scene.say("chip.none")), quiet=True)


def _field(scene: Scene, name: str, reading: FieldReading, current: bool) -> CheckRow:
    match reading.state:
        case FieldState.READ:
            word = "row.number.hand" if reading.by_hand else f"row.{name}.sure"
            chip = Chip(Tone.OK, scene.say("chip.read"))
            return _row(scene, name, scene.say(word, n=len(reading.chars)), chip, current=current)
        case FieldState.DOUBTFUL:
            word = "row.length.doubt" if reading.wholes else "row.number.doubt"
            value = scene.say(word, n=len(reading.doubts))
            return _row(scene, name, value, Chip(Tone.WARN, scene.say("chip.confirm")), current=current)
        case FieldState.COVERED:
            value, chip = scene.say("row.pin.covered"), Chip(Tone.WARN, scene.say("chip.scratch"))
            return _row(scene, name, value, chip, current=current)
        case _:
            value, chip = scene.say("row.unreadable"), Chip(Tone.WARN, scene.say("chip.unclear"))
            return _row(scene, name, value, chip, current=current)


def _panel(scene: Scene, panel: PanelState, legible: tuple[int, int] | None = None, torn: bool = False) -> CheckRow:
    """`legible`: how many characters of the PIN can be seen, of how many; the coach of who scratches it open. `torn`:
    it was scratched too hard.
    """
    value = scene.say(f"row.panel.{panel.value}")
    if legible is not None and panel in (PanelState.PARTIAL, PanelState.COVERED):
        value = scene.say("row.panel.legible", seen=legible[0], of=legible[1])
    match panel:
        case PanelState.OPEN if torn:
            return _row(scene, "panel", scene.say("row.panel.torn"), Chip(Tone.WARN, scene.say("chip.compare")))
        case PanelState.OPEN:
            return _row(scene, "panel", value, Chip(Tone.OK, scene.say("chip.good")))
        case PanelState.NONE:
            return _row(scene, "panel", value, Chip(Tone.IDLE, scene.say("chip.none")), quiet=True)
        case _:
            return _row(scene, "panel", value, Chip(Tone.WARN, scene.say("chip.scratch")))


def of_draft(scene: Scene, draft: CardDraft) -> tuple[CheckRow, ...]:
    """The card is on its way to the disk."""
    done = Chip(Tone.OK, scene.say("chip.read"))
    missing = Chip(Tone.WARN, scene.say("chip.unclear"))
    product = scene.catalogue.by_id(draft.product_id)
    no_pin = product is not None and product.pin is None
    number = scene.say("row.number.sure", n=len(draft.number)) if draft.number else scene.say("row.unreadable")
    pin = scene.say("row.pin.sure", n=len(draft.pin)) if draft.pin else scene.say("row.unreadable")
    return (
        _barcode(scene, draft.gtin, draft.region, draft.batch),
        _row(scene, "number", number, done if draft.number else missing),
        _no_pin(scene) if no_pin else _row(scene, "pin", pin, done if draft.pin else missing),
        _panel(scene, draft.panel),
        *_later(scene, draft.tag),
    )


def _kept_pin(scene: Scene, card: TrayCard) -> CheckRow:
    product = scene.catalogue.by_id(card.product_id)
    if product is not None and product.pin is None:
        return _no_pin(scene)
    for reason in (Reason.PIN_COVERED, Reason.PIN_UNREADABLE):
        if reason in card.reasons:
            return _row(scene, "pin", scene.say(f"reason.{reason.value}"), Chip(Tone.WARN, scene.say("chip.none")))
    return _row(scene, "pin", "", Chip(Tone.OK, scene.say("chip.saved")))


def _kept_chip(scene: Scene, card: TrayCard) -> CheckRow:
    if card.tag is None:
        return _row(scene, "nfc", scene.say("row.nfc.none"), Chip(Tone.IDLE, scene.say("chip.none")), quiet=True)
    return nfc_row(scene, card.tag, card.chip)


_ISSUER = {
    CardState.KEPT: "row.issuer.kept",
    CardState.AT_CENTRE: "row.issuer.at-centre",
    CardState.NOT_TAKEN: "row.issuer.not-taken",
    CardState.ACCEPTED: "row.issuer.accepted",
    CardState.REVIEW: "row.issuer.review",
    CardState.REJECTED: "row.issuer.rejected",
    CardState.WITHDRAWN: "row.issuer.wait",
}


def of_card(scene: Scene, card: TrayCard) -> tuple[CheckRow, ...]:
    """The card that was just kept and still lies there: where it stands."""
    done = Chip(Tone.OK, scene.say("chip.saved"))
    rows = [_row(scene, "barcode", scene.product_name(card.product_id), done)]
    if card.last4:
        told = (f"•••• {card.last4}", card.region, card.batch)
        rows.append(_row(scene, "number", " · ".join(part for part in told if part), done, mono=True))
    else:
        rows.append(_row(scene, "number", scene.say("row.unreadable"), Chip(Tone.WARN, scene.say("chip.unclear"))))
    rows.append(_kept_pin(scene, card))
    rows.append(_row(scene, "panel", "", done))
    rows.append(_row(scene, "issuer", scene.say(_ISSUER[card.state]), card_chip(scene, card.state)))
    return (*rows, _wait(scene, "risk", "row.risk.wait"), _kept_chip(scene, card))
