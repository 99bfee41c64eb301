"""Example states for screenshots and tests: the parcel, cards and troubles of the design's pictures. All fictional."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime

from app.core.cards import (
    LINE,
    Alternative,
    Barcode,
    Candidate,
    CardRead,
    CardState,
    CharReading,
    Crop,
    FieldReading,
    FieldState,
    Guidance,
    PanelState,
    Quad,
    Sighting,
    Tag,
    TagStay,
    Whole,
    WholeWay,
    Zone,
)
from app.core.chips import ChipCard, ChipEnd, ChipStand, PlannedStage
from app.core.events import Device
from app.core.parcels import (
    CardDraft,
    DeclaredItem,
    EarlierParcel,
    ExpectedParcel,
    Operator,
    Reason,
    Role,
    TrayCard,
    WayOut,
)
from app.core.products import DIGITS, Catalogue, CheckDigit, FieldPattern, Product
from app.core.readiness import (
    REVOKED,
    CameraFacts,
    DeviceFacts,
    DiskFacts,
    Level,
    RecFacts,
    RecMode,
    Surroundings,
    SyncFacts,
    SyncState,
)
from app.core.states import (
    Ask,
    Asking,
    ChipTray,
    Counting,
    Faulted,
    Idle,
    LastParcel,
    Locked,
    Notice,
    Opening,
    Paused,
    Question,
    Reading,
    Rejecting,
    Saving,
    Sealing,
    SignedOut,
    State,
    Visit,
    Waiting,
)

GIFT, FUEL = "yunshan-gift", "lanjing-fuel"
NUMBER = "6009351241782106"
PIN = "48217730"
DOUBT_AT = 11
NOW_US = int(datetime(2026, 11, 21, 10, 42, 18).timestamp() * 1e6)
LOST_US = NOW_US - 13_000_000
_SECOND = 1_000_000


def catalogue() -> Catalogue:
    """Two fictional products."""
    number = FieldPattern(DIGITS, (16,), (4, 4, 4, 4), CheckDigit.LUHN)
    pin = FieldPattern(DIGITS, (8,), (4, 4))
    gift = Product(
        GIFT, "云杉超市礼品卡", "Yunshan Gift Card", "supermarket", frozenset({"06901234567892"}), number, pin
    )
    fuel = Product(FUEL, "蓝鲸加油卡", "Lanjing Fuel Card", "fuel", frozenset({"06909876543217"}), number, pin)
    return Catalogue((gift, fuel))


OPERATOR = Operator("E10327", "陈敏", Role.CLERK)
EXPECTED = ExpectedParcel(
    "SF14207731918",
    "R-20931",
    8,
    (
        DeclaredItem(GIFT, "云杉超市礼品卡", "Yunshan Gift Card", 50_000, 6),
        DeclaredItem(FUEL, "蓝鲸加油卡", "Lanjing Fuel Card", 100_000, 2),
    ),
)
TAG = Tag("04A2248A1C6880", "0044", "00", "NTAG213", simulated=True)

_CARDS = (
    (1, GIFT, "3381", CardState.ACCEPTED, (), 130),
    (2, GIFT, "0072", CardState.ACCEPTED, (), 181),
    (3, FUEL, "9140", CardState.REVIEW, (Reason.PIN_COVERED,), 266),
    (4, GIFT, "5526", CardState.ACCEPTED, (), 340),
    (5, GIFT, "2106", CardState.ACCEPTED, (Reason.NUMBER_CONFIRMED,), 485),
    (6, FUEL, "6613", CardState.REJECTED, (Reason.CENTRE_REJECTED,), 573),
    (7, GIFT, "4408", CardState.ACCEPTED, (), 648),
    (8, GIFT, "7765", CardState.ACCEPTED, (), 702),
)


def cards(count: int) -> tuple[TrayCard, ...]:
    """The first `count` cards of the parcel."""
    value = {GIFT: 50_000, FUEL: 100_000}
    return tuple(
        TrayCard(no, f"card-{no}", f"read-{no}", product, last4, value[product], state, why, t * _SECOND)
        for no, product, last4, state, why, t in _CARDS[:count]
    )


def visit(count: int = 4) -> Visit:
    return Visit(OPERATOR, "parcel-1", "recording-1", EXPECTED, cards(count), first_us=1, stays=(TagStay(TAG, 1),))


def ten() -> Visit:
    """Ten declared, six done: the tray has to be narrow."""
    base = visit(6)
    states = (CardState.AT_CENTRE, CardState.KEPT)
    done = tuple(replace(c, state=states[c.no % 2] if c.no > 4 else c.state) for c in base.cards)
    return replace(base, expected=replace(EXPECTED, declared=10), cards=done)


def _char(glyph: str, p: float = 0.99) -> CharReading:
    return CharReading((Candidate(glyph, p),), sure=True)


def _field(text: str, weak: int = -1) -> FieldReading:
    return FieldReading(FieldState.READ, tuple(_char(g, 0.87 if i == weak else 0.99) for i, g in enumerate(text)))


def doubtful_number(*options: tuple[str, float]) -> FieldReading:
    """The number with its 12th character in doubt."""
    chars = list(_field(NUMBER, weak=6).chars)
    chars[DOUBT_AT] = CharReading(tuple(Candidate(g, p) for g, p in options), sure=False)
    return FieldReading(FieldState.DOUBTFUL, tuple(chars))


def _quad(x: float, y: float, width: float, height: float) -> Quad:
    """A rectangle of the sample picture's card (640x400), as it lies in a 1920x1080 frame."""
    return tuple(_on_frame(px, py) for px, py in ((x, y), (x + width, y), (x + width, y + height), (x, y + height)))  # type: ignore[return-value]  # four corners


def _on_frame(x: float, y: float) -> tuple[float, float]:
    # translate(238,128) rotate(-1.6 degrees) scale(1.2) of the design's scene, then 1280 to 1920
    cos, sin = 0.99961, -0.02792
    return 1.5 * (238 + 1.2 * (cos * x - sin * y)), 1.5 * (128 + 1.2 * (sin * x + cos * y))


ZONES = (
    Zone("number", _quad(30, 160, 590, 62), settled=False),
    Zone("barcode", _quad(30, 284, 298, 94), settled=True),
    Zone("pin", _quad(350, 290, 262, 74), settled=True),
)
CARD_QUAD = _quad(0, 0, 640, 400)


def sighting(guidance: Guidance = Guidance.NONE) -> Sighting:
    return Sighting(1, guidance, CARD_QUAD, ZONES, sharpness=0.7, glare=0.01)


def read(number: FieldReading | None = None, pin: FieldReading | None = None, crop: bytes = b"") -> CardRead:
    """Card 5 of the parcel, its 12th character in doubt unless told otherwise."""
    return CardRead(
        read_id="read-5",
        first_us=1,
        best_us=485 * _SECOND,
        product_id=GIFT,
        gtin="06901234567892",
        barcodes=(Barcode("EAN13", "6901234567892"),),
        number=number or doubtful_number(("8", 0.62), ("3", 0.36)),
        pin=pin or _field(PIN),
        panel=PanelState.OPEN,
        expiry=date(2027, 12, 31),
        face_value_fen=50_000,
        quad=CARD_QUAD,
        zones=ZONES,
        crops=(Crop("number", DOUBT_AT, crop, len(NUMBER)),) if crop else (),
    )


def asking(crop: bytes = b"") -> Asking:
    """The question of the picture: 8 or 3?"""
    options = (Alternative(Candidate("8", 0.62), True), Alternative(Candidate("3", 0.36), False))
    question = Question(Ask.CHARACTER, "number", DOUBT_AT, options)
    return Asking(visit(), read(crop=crop), question, 0, sighting=sighting())


def refused() -> Asking:
    """A typed number that the template refuses; the card may print it all the same."""
    return replace(asking(), typed=("number", _field("600935124178")), notice=Notice("number.does-not-fit"))


def counting(found: int = 7, shots: int = 2, choice: WayOut | None = WayOut.SUBMIT_DIFFERENT) -> Counting:
    taken = (712 * _SECOND, 718 * _SECOND)[:shots]
    return Counting(replace(visit(found), shots=taken), choice if found != 8 else None)


def paused(device: Device = Device.CAMERA, code: str = "camera.lost") -> Paused:
    return Paused(device, code, asking(), LOST_US if device is not Device.STORE else 0)


def draft() -> CardDraft:
    number, pin = _field(NUMBER).secret(), _field(PIN).secret()
    return CardDraft(
        "card-5",
        "read-5",
        "parcel-1",
        5,
        GIFT,
        "06901234567892",
        number,
        pin,
        PanelState.OPEN,
        date(2027, 12, 31),
        50_000,
        "recording-1",
        485 * _SECOND,
        CardState.KEPT,
    )


def around(rec: RecMode = RecMode.OFF, elapsed_s: int = 462) -> Surroundings:
    """A station in order, as in the pictures."""
    recording = RecFacts() if rec is RecMode.OFF else RecFacts(rec, "recording-1", elapsed_s * _SECOND, 412_000_000)
    lost = rec is RecMode.CUT
    return Surroundings(
        station_name="工位 03",
        centre_name="华东验卡中心",
        rec=recording,
        camera=CameraFacts(
            Level.DOWN if lost else Level.OK, "USB 3-2", 1920, 1080, 30, "camera.lost" if lost else "", False, 0.7, 0.01
        ),
        spare=DeviceFacts(Level.OK, "侧拍", "720p"),
        scanner=DeviceFacts(Level.OK, "扫描枪", "wedge"),
        nfc=DeviceFacts(Level.OK, "PN532", "COM4"),
        disk=DiskFacts(412_000_000_000, 112_500_000),
        sync=SyncFacts(SyncState.SYNCED, 0, 0, 0, 200),
        parcels_today=(52, 14),
        wall_us=NOW_US,
        mono_us=NOW_US,
    )


def rehearsal(base: Surroundings, autoplay: bool = False) -> Surroundings:
    """The same station with simulated devices."""
    return replace(
        base,
        rehearsal=True,
        autoplay=autoplay,
        camera=replace(base.camera, name="演练相机", simulated=True),
        nfc=replace(base.nfc, name="PN532", simulated=True),
    )


def signed_out() -> tuple[SignedOut, Surroundings]:
    base = around()
    return SignedOut(), replace(base, sync=replace(base.sync, unsent=3))


def idle() -> Idle:
    done = tuple(replace(c, no=i + 1, state=CardState.ACCEPTED) for i, c in enumerate((*cards(8), *cards(3))))
    review = replace(cards(3)[2], no=12)
    return Idle(OPERATOR, LastParcel("SF14207731905", NOW_US - 250 * _SECOND, (*done, review)))


@dataclass(frozen=True, slots=True)
class Sample:
    """One screenshot: its name, what is shown, which picture the camera gives, and a key pressed on it ("F1")."""

    name: str
    state: State
    around: Surroundings
    picture: str = ""
    key: str = ""


BEHIND = SyncFacts(
    SyncState.OFFLINE, 12, 4_300, 40, 200, "sync.offline", footage_waiting=2,
    cards=((CardState.KEPT, 5, 4_300), (CardState.AT_CENTRE, 3, 95), (CardState.NOT_TAKEN, 1, 7_200),
           (CardState.ACCEPTED, 240, 9_000)), held=(("card-known", 1),),
)  # fmt: skip
ELSE = Notice("lock.somebody-else", (("name", OPERATOR.name),))


def samples(crop: bytes = b"", line: bytes = b"") -> tuple[Sample, ...]:
    """Every screen of this version, the design's pictures first."""
    on, cut = around(RecMode.ON), around(RecMode.CUT)
    late = around(RecMode.ON, 724)
    out, out_around = signed_out()
    return (
        Sample("sign-in", out, out_around),
        Sample("workbench-1-waiting", idle(), around(), "mat"),
        Sample("workbench-2-reading", asking(crop), on, "card"),
        Sample("workbench-3-summary", counting(), late, "parcel"),
        Sample("error-camera-lost", paused(), cut),
        Sample("workbench-2-as-printed", refused(), on, "card"),
        Sample("reject-dialog", Rejecting(visit(), asking(crop), 2), rehearsal(on), "card"),
        *(Sample(f"length-{field}", _lengths(field, line), on, "card") for field in ("number", "pin")),
        *_further(on, late, crop),
    )


def _further(on: Surroundings, late: Surroundings, crop: bytes) -> tuple[Sample, ...]:
    out, out_around = signed_out()
    earlier = EarlierParcel("SF14207731905", NOW_US - 49 * 86_400 * _SECOND, 6, 1, 7)
    done_before = Idle(OPERATOR, earlier=earlier, notice=Notice("parcel.done-before"))
    refused = SignedOut(wrong=3, locked_until_us=60 * _SECOND, now_us=18 * _SECOND, refused=True)
    cut = around(RecMode.CUT)
    offline = replace(on, sync=SyncFacts(SyncState.OFFLINE, 12, 300, 20, 200))
    ended = SyncFacts(SyncState.STOPPED, code=REVOKED)
    no_camera = replace(around(), camera=CameraFacts(Level.DOWN, "USB 3-2", 0, 0, 0, "camera.missing"))
    return (
        Sample("sign-in-locked", refused, out_around),
        Sample("sign-in-expired", SignedOut(expired=True), out_around),
        Sample("sign-in-revoked", SignedOut(revoked=True), replace(out_around, sync=ended)),
        Sample("sign-in-rehearsal", out, rehearsal(out_around)),
        Sample("sync-sheet", idle(), replace(around(), sync=BEHIND), "mat", "F5"),
        Sample("sync-leaving", idle(), replace(around(), sync=BEHIND), "mat", "F12"),
        Sample("sync-all-there", idle(), around(), "mat", "F5"),
        Sample("lock-idle", Locked(OPERATOR, Idle(OPERATOR)), around()),
        Sample("lock-filming", Locked(OPERATOR, Waiting(visit())), on),
        Sample("lock-somebody-else", Locked(OPERATOR, Waiting(visit()), notice=ELSE), cut),
        Sample("waiting-done-before", done_before, around(), "mat"),
        Sample("waiting-unannounced", Idle(OPERATOR, unannounced="SF14207731999"), around(), "mat"),
        Sample("waiting-wrong-code", Idle(OPERATOR, notice=Notice("code.is-product")), around(), "mat"),
        Sample("waiting-no-camera", Idle(OPERATOR), no_camera),
        Sample("opening-not-yet", Opening(visit(0)), around(), "parcel"),
        Sample("opening", Opening(visit(0), began=True), on, "parcel"),
        Sample("next-card", Waiting(visit(), settled=True, notice=Notice("card.kept")), offline, "mat"),
        Sample("put-card", Waiting(visit(0)), rehearsal(on, autoplay=True), "mat"),
        Sample("put-back", Waiting(visit(), notice=Notice("card.left-too-early")), on, "mat"),
        Sample("all-here", Waiting(visit(8), settled=True), on, "mat"),
        Sample("reading-now", Reading(visit(), sighting(Guidance.GLARE)), on, "card"),
        Sample("pin-covered", _ask(Ask.PIN_COVERED, "pin", _half_scratched()), on, "card"),
        Sample("number-unreadable", _ask(Ask.NUMBER_UNREADABLE, "number", _unreadable()), on, "card"),
        Sample("three-ways", _three_ways(crop), on, "card"),
        Sample("saving", Saving(visit(), draft()), on, "card"),
        Sample("count-equal", counting(8), late, "parcel"),
        Sample("count-shots", counting(7, 0, None), late, "parcel"),
        Sample("count-nothing-chosen", replace(counting(7, 2, None), notice=Notice("choose.first")), late, "parcel"),
        Sample("next-of-ten", Waiting(ten(), settled=True, notice=Notice("card.kept")), on, "mat"),
        Sample("sealing", Sealing(visit(8), WayOut.EQUAL), late, "parcel"),
        Sample("error-camera-back", replace(paused(), ready=True), replace(cut, camera=on.camera)),
        Sample("error-supervisor", replace(paused(), ready=True, supervisor=True), cut),
        Sample("error-disk-full", paused(Device.DISK, "disk.full"), cut),
        Sample("error-recorder", paused(Device.RECORDER, "recorder.gone"), cut),
        Sample("error-store", replace(paused(Device.STORE, "store.io"), ready=True), on),
        Sample("supervisor-wanted", Paused(Device.STORE, "supervisor.wanted", counting(), supervisor=True), late),
        Sample("fault", Faulted("program.fault", "session.step"), around()),
        Sample("keys-of-the-screen", asking(crop), on, "card", "F1"),
        Sample("type-number", _ask(Ask.NUMBER_UNREADABLE, "number", _unreadable()), on, "card", "F6"),
        Sample("reject-parcel", Rejecting(visit(7), counting(), None), late, "parcel"),
        *_chips(replace(late, chips=4)),
    )


CHIPS = tuple(
    ChipCard(f"card-{no}", no, EXPECTED.waybill, product, last4, uid, family)
    for no, product, last4, uid, family in (
        (1, GIFT, "3381", "04A2248A1C6880", "NTAG213"),
        (2, GIFT, "0072", "0419D2E25A6481", "NTAG216"),
        (4, GIFT, "5526", "5C8F21A7", "MIFARE Classic 1K"),
        (7, GIFT, "4408", "047B3C9AE51190", "MIFARE Ultralight"),
    )
)
PLAN = (
    PlannedStage("secrets", 2, irreversible=False),
    PlannedStage("data", 36, irreversible=False),
    PlannedStage("read-back", 0, irreversible=False),
    PlannedStage("read-only", 1, irreversible=True),
    PlannedStage("dynamic-locks", 1, irreversible=True),
    PlannedStage("static-locks", 1, irreversible=True),
    PlannedStage("config-lock", 1, irreversible=True),
    PlannedStage("proof", 0, irreversible=False),
)


def chip_tray(stand: ChipStand = ChipStand.WAITING, why: str = "", begun: bool = False) -> ChipTray:
    """Four chips; the second one in hand, as a run left it."""
    second = replace(CHIPS[1], stand=stand, why=why)
    verdict = "deactivated" if stand is ChipStand.OFF else "not-completed"
    ended = ChipEnd(second.card_id, stand, verdict, why, begun=begun) if why else None
    first = replace(CHIPS[0], stand=ChipStand.OFF) if why else CHIPS[0]
    at = second.card_id if why else ""
    cards = (first, second, *CHIPS[2:])
    return ChipTray(Waiting(visit(8)), cards, listed=True, armed=bool(why), at=at, ended=ended)


def _chips(around: Surroundings) -> tuple[Sample, ...]:
    plan = replace(chip_tray(), at=CHIPS[0].card_id, plan=PLAN, on_reader=CHIPS[0].uid)
    running = replace(plan, armed=True, running=True, stage="dynamic-locks", number=5, of=8)
    torn = replace(chip_tray(ChipStand.UNFINISHED, "why.chip-gone", begun=True), insist=CHIPS[1].card_id)
    other = Notice("chip.other-first", (("wanted", CHIPS[1].uid), ("there", CHIPS[2].uid)))
    copy = chip_tray(ChipStand.DESTROY, "why.writes-accepted")
    quiet = chip_tray(ChipStand.WAITING, "why.chip-gone")
    ended = None if quiet.ended is None else replace(quiet.ended, silent=1, most_silent=3)
    given_up = chip_tray(ChipStand.DESTROY, "why.stays-silent")
    mute = tuple(replace(card, mute=True) if card.card_id == given_up.at else card for card in given_up.cards)
    gone = replace(around, nfc=replace(around.nfc, level=Level.DOWN, code="nfc.lost"))
    desk = replace(copy, back_to=Idle(OPERATOR))
    return (
        Sample("chips-hold", chip_tray(), around, "mat"),
        Sample("chips-plan", plan, around, "mat"),
        Sample("chips-armed", replace(chip_tray(), armed=True), around, "mat"),
        Sample("chips-running", running, around, "mat"),
        Sample("chips-off", chip_tray(ChipStand.OFF, "why.proved"), around, "mat"),
        Sample("chips-torn", torn, around, "mat"),
        Sample("chips-other-card", replace(torn, notice=other), around, "mat"),
        Sample("chips-refused", chip_tray(ChipStand.REFUSED, "why.bank-card"), around, "mat"),
        Sample("chips-silent", replace(quiet, ended=ended), around, "mat"),
        Sample("chips-mute", replace(given_up, cards=mute), around, "mat"),
        Sample("chips-punch", copy, around, "mat"),
        Sample("chips-punched", replace(copy, shots=(1,)), around, "mat"),
        Sample("chips-punch-later", desk, replace(around, rec=RecFacts()), "mat"),
        Sample("chips-no-reader", replace(chip_tray(), armed=True, reader="nfc.lost"), gone, "mat"),
        Sample("chips-none", ChipTray(Idle(OPERATOR), listed=True), replace(around, chips=0), "mat"),
        Sample("all-here-with-chips", Waiting(visit(8), settled=True), around, "mat"),
    )


def _ask(ask: Ask, field: str, card: CardRead) -> Asking:
    return Asking(visit(), card, Question(ask, field), sighting=sighting())


def _half_scratched() -> CardRead:
    covered = read(_field(NUMBER), FieldReading(FieldState.COVERED))
    return replace(covered, panel=PanelState.PARTIAL, legible=(12, 16))


def _unreadable() -> CardRead:
    return read(FieldReading(FieldState.UNREADABLE))


def _three_ways(crop: bytes) -> Asking:
    """A doubtful PIN character of an over-scratched panel: no check digit, three candidates, nothing preselected."""
    chars = list(_field(PIN).chars)
    glyphs = (("7", 0.41), ("1", 0.33), ("2", 0.2))
    chars[4] = CharReading(tuple(Candidate(g, p) for g, p in glyphs), sure=False)
    options = tuple(Alternative(Candidate(g, p), True) for g, p in glyphs)
    card = read(_field(NUMBER), FieldReading(FieldState.DOUBTFUL, tuple(chars)))
    card = replace(card, crops=(Crop("pin", 4, crop, len(PIN)),) if crop else (), torn=True)
    return Asking(visit(), card, Question(Ask.CHARACTER, "pin", 4, options), sighting=sighting())


def _lengths(field: str, line: bytes) -> Asking:
    """Nobody knows how many characters there are. The number has a check digit, which one of three lengths breaks."""
    text = {"number": NUMBER, "pin": PIN}[field]
    shares = ((text, 0.61, True), (text + "1", 0.27, True), (text[:-3] + text[-2:], 0.08, False))
    wholes = tuple(Whole(_field(one).chars, p) for one, p, _ in shares)
    doubtful = tuple(replace(char, sure=False) for char in _field(text).chars)
    reading = FieldReading(FieldState.DOUBTFUL, doubtful, wholes=wholes)
    card = read(reading, _field(PIN)) if field == "number" else read(_field(NUMBER), reading)
    card = replace(card, crops=(Crop(field, LINE, line),) if line else ())
    holds = [holds or field == "pin" for _, _, holds in shares]
    ways = tuple(WholeWay(whole, fits) for whole, fits in zip(wholes, holds, strict=True))
    choice = 0 if field == "number" else None
    return Asking(visit(), card, Question(Ask.LENGTH, field, wholes=ways), choice, sighting=sighting())
