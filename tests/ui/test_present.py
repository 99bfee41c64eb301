"""Presenters: each state in both languages, nothing missing, nothing secret in a repr."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import pytest

from app.core.cards import CardState, Guidance
from app.core.events import Device
from app.core.parcels import ExpectedParcel
from app.core.readiness import Level, RecMode, SyncFacts, SyncState
from app.core.states import Ask, Counting, Paused, Question, Reading, Waiting
from tests.core.making import card_read
from ui import samples
from ui.present import present
from ui.present_checks import of_card, of_read, origin
from ui.present_sync import opens_sheet, sync_sheet
from ui.samples import Sample
from ui.scene import Desk, Scene
from ui.texts import trouble
from ui.views import GoState, SignInView, Tone
from ui.work_views import (
    BigPrompt,
    CardBody,
    CardPrompt,
    CellKind,
    CountBody,
    LostBody,
    ScreenView,
    SlotState,
    WorkView,
)

ALL = samples.samples()
NAMES = [s.name for s in ALL]


def view(sample: Sample, language: str = "zh", *, compact: bool = False) -> ScreenView:
    return present(sample.state, sample.around, samples.catalogue(), language, compact=compact)


def work(name: str, language: str = "zh") -> WorkView:
    found = view(next(s for s in ALL if s.name == name), language)
    assert isinstance(found, WorkView)
    return found


def texts_of(value: object) -> list[str]:
    """All strings in a view."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [t for item in value for t in texts_of(item)]
    if is_dataclass(value):
        return [t for f in fields(value) for t in texts_of(getattr(value, f.name))]
    return []


@pytest.mark.parametrize("sample", ALL, ids=NAMES)
@pytest.mark.parametrize("compact", [False, True])
def test_both_languages_say_everything(sample: Sample, compact: bool) -> None:
    zh, en = (view(sample, language, compact=compact) for language in ("zh", "en"))
    assert type(zh) is type(en)
    assert [bool(t) for t in texts_of(zh)] == [bool(t) for t in texts_of(en)]
    assert not any("{" in t for t in texts_of(zh) + texts_of(en))
    go = zh.go
    assert go.label
    assert go.cap


@pytest.mark.parametrize("sample", ALL, ids=NAMES)
def test_no_secret_in_repr(sample: Sample) -> None:
    shown = repr(view(sample))
    assert samples.PIN not in shown.replace(" ", "")
    assert samples.NUMBER not in shown.replace(" ", "")
    assert samples.NUMBER[:11] not in shown.replace(" ", "")


def test_doubtful_character_asks_for_exactly_one() -> None:
    body = work("workbench-2-reading").body
    assert isinstance(body, CardBody)
    now = body.now
    assert isinstance(now, CardPrompt)
    assert now.prompt == "卡号第 12 位：是 8 还是 3？"
    assert [c.kind for c in now.cells].count(CellKind.DOUBT) == 1
    assert now.cells[samples.DOUBT_AT].glyph == "?"
    assert now.cells[6].kind is CellKind.MID
    assert [a.open for a in now.alternatives] == [True, False]
    assert now.secret is not None
    assert set(now.secret.dots) == {"●", " "}
    assert now.secret.dots == "●●●● ●●●●"


def test_pin_in_question_shows_only_its_own_character() -> None:
    body = work("three-ways").body
    assert isinstance(body, CardBody)
    assert isinstance(body.now, CardPrompt)
    assert "".join(c.glyph for c in body.now.cells) == "?"
    assert body.now.secret is None
    assert body.now.help
    assert work("three-ways").go.state is GoState.BLOCKED


def test_blue_key_follows_the_state() -> None:
    expected = {
        "workbench-1-waiting": GoState.WAITING,
        "workbench-2-reading": GoState.READY,
        "reading-now": GoState.BUSY,
        "saving": GoState.BUSY,
        "number-unreadable": GoState.BLOCKED,
        "count-nothing-chosen": GoState.BLOCKED,
        "count-shots": GoState.READY,
        "error-camera-lost": GoState.WAITING,
        "error-camera-back": GoState.READY,
        "error-supervisor": GoState.WAITING,
        "opening-not-yet": GoState.WAITING,
        "opening": GoState.READY,
    }
    assert {name: work(name).go.state for name in expected} == expected


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_recording_that_is_not_signed_is_told_in_red(language: str) -> None:
    on = samples.around(RecMode.ON)
    unsigned = replace(on, rec=replace(on.rec, code="recorder.unsigned"))
    shown = present(samples.asking(), unsigned, samples.catalogue(), language)
    assert isinstance(shown, WorkView)
    assert shown.frame.banner is not None
    assert shown.frame.banner.tone is Tone.STOP
    assert trouble("recorder.unsigned", language).title in shown.frame.banner.text


def test_recording_of_a_rehearsal_never_looks_like_evidence() -> None:
    on = samples.around(RecMode.ON)
    plain = present(samples.asking(), on, samples.catalogue(), "zh")
    rehearsal = present(samples.asking(), samples.rehearsal(on), samples.catalogue(), "zh")
    assert isinstance(plain, WorkView)
    assert isinstance(rehearsal, WorkView)
    assert plain.frame.top.rec.mode is RecMode.ON
    assert plain.frame.banner is None
    assert rehearsal.frame.top.rec.mode is RecMode.TRAINING
    assert rehearsal.frame.banner is not None
    assert rehearsal.frame.banner.tone is Tone.TRAIN
    assert "俯拍相机" in rehearsal.frame.banner.detail


def test_simulated_device_outside_a_rehearsal_is_marked_too() -> None:
    on = samples.around(RecMode.ON)
    around = replace(on, nfc=replace(on.nfc, simulated=True))
    found = present(samples.asking(), around, samples.catalogue(), "en")
    assert isinstance(found, WorkView)
    assert found.frame.banner is not None
    assert found.frame.banner.tone is Tone.TRAIN


def test_who_waits_for_a_second_signature_is_told_behind_every_warning() -> None:
    waiting = replace(samples.around(RecMode.ON), cosign=2)
    warned = (
        replace(waiting, nfc=replace(waiting.nfc, level=Level.DOWN)),
        replace(waiting, disk=replace(waiting.disk, unknown_recordings=1)),
        replace(waiting, backup_code="store.io"),
    )
    tones = []
    for around in (waiting, *warned):
        found = present(samples.asking(), around, samples.catalogue(), "en")
        assert isinstance(found, WorkView)
        assert found.frame.banner is not None
        tones.append(found.frame.banner.tone)
    assert tones == [Tone.INFO, Tone.WARN, Tone.WARN, Tone.WARN]


def test_autoplay_strip_says_that_any_key_takes_over() -> None:
    around = samples.rehearsal(samples.around(RecMode.ON), autoplay=True)
    found = present(samples.idle(), around, samples.catalogue(), "zh")
    assert isinstance(found, WorkView)
    assert found.frame.banner is not None
    assert (found.frame.banner.cap, found.frame.banner.action) == ("任意键", "接手")


def test_difference_names_what_is_missing() -> None:
    body = work("workbench-3-summary").body
    assert isinstance(body, CountBody)
    assert [f.value for f in body.figures] == ["8", "7", "−1"]
    assert body.headline == "少 1 张：云杉超市礼品卡 ¥500"
    assert [r.missing for r in body.rows] == [False] * 7 + [True]
    assert body.sums[0][1] == "¥2,500"
    assert body.total[1] == "¥5,000"


def test_extra_cards_are_marked() -> None:
    visit = samples.visit(8)
    found = present(
        Counting(replace(visit, expected=replace(visit.expected, declared=7))),
        samples.around(RecMode.ON),
        samples.catalogue(),
        "zh",
    )
    assert isinstance(found, WorkView)
    assert isinstance(found.body, CountBody)
    assert found.body.headline == "多 1 张"
    assert found.body.rows[-1].chip.text == "多出"
    assert found.body.options[0].title == "按 8 张提交，登记多 1 张"


def test_undeclared_parcel_counts_without_difference() -> None:
    visit = replace(samples.visit(3), expected=ExpectedParcel("SF14207731999", "", 0))
    for state in (Counting(visit), Waiting(visit)):
        found = present(state, samples.around(RecMode.ON), samples.catalogue(), "zh")
        assert isinstance(found, WorkView)
        assert found.go.state is GoState.READY
        assert "没有申报" in found.parcel.words


def test_tray_tells_kept_from_received_from_accepted() -> None:
    visit = samples.visit(3)
    states = (CardState.KEPT, CardState.AT_CENTRE, CardState.ACCEPTED)
    cards = tuple(replace(c, state=s) for c, s in zip(visit.cards, states, strict=True))
    found = present(Waiting(replace(visit, cards=cards)), samples.around(RecMode.ON), samples.catalogue(), "zh")
    assert isinstance(found, WorkView)
    assert isinstance(found.body, CardBody)
    assert [s.word for s in found.body.slots[:3]] == ["已存", "已到中心", "通过"]
    assert [s.state for s in found.body.slots[:4]] == [
        SlotState.INFO,
        SlotState.INFO,
        SlotState.OK,
        SlotState.CURRENT,
    ]


@pytest.mark.parametrize("guidance", list(Guidance))
def test_guidance_becomes_the_prompt(guidance: Guidance) -> None:
    state = Reading(samples.visit(), samples.sighting(guidance))
    found = present(state, samples.around(RecMode.ON), samples.catalogue(), "en")
    assert isinstance(found, WorkView)
    assert isinstance(found.body, CardBody)
    assert isinstance(found.body.now, BigPrompt)
    assert found.body.now.title


@pytest.mark.parametrize("device", list(Device))
@pytest.mark.parametrize("code", ["lost", "camera.busy", "nobody.knows", "store.disk_full"])
def test_hands_stop_for_any_device_and_code(device: Device, code: str) -> None:
    state = Paused(device, code, samples.asking(), samples.LOST_US)
    found = present(state, samples.around(RecMode.CUT), samples.catalogue(), "zh")
    assert isinstance(found, WorkView)
    assert isinstance(found.body, LostBody)
    assert found.body.take_over.title
    assert found.body.take_over.do
    assert found.body.take_over.kept


def test_pin_is_hatched_as_soon_as_it_is_located() -> None:
    body = work("reading-now").body
    assert isinstance(body, CardBody)
    assert [b.hatched for b in body.stage.boxes] == [False, False, True]


def test_sign_in_counts_down_and_offers_the_rehearsal_badge() -> None:
    locked = view(next(s for s in ALL if s.name == "sign-in-locked"))
    assert isinstance(locked, SignInView)
    assert locked.go.state is GoState.BLOCKED
    assert "42" in locked.go.label
    out, around = samples.signed_out()
    desk = Desk(demo_badge="CIB-DEMO01")
    shown = present(out, samples.rehearsal(around), samples.catalogue(), "zh", desk=desk)
    hidden = present(out, around, samples.catalogue(), "zh", desk=desk)
    assert isinstance(shown, SignInView)
    assert isinstance(hidden, SignInView)
    assert "CIB-DEMO01" in shown.demo
    assert hidden.demo == ""


def test_sign_in_calls_nothing_uploaded_while_footage_is_only_here() -> None:
    out = next(s for s in ALL if s.name == "sign-in")
    told = {}
    for name, facts in {"all": SyncFacts(), "footage": SyncFacts(footage_waiting=2), "both": SyncFacts(
            unsent=3, footage_waiting=2)}.items():  # fmt: skip
        found = view(replace(out, around=replace(out.around, sync=facts)), "en")
        assert isinstance(found, SignInView)
        told[name] = next((row.value, row.chip.text) for row in found.checks if row.icon == "cloud-upload")
    assert told == {
        "all": ("All uploaded", "OK"),
        "footage": ("Videos not there yet: 2", "2 left"),
        "both": ("3 entries, goes on after sign-in", "3 left"),
    }


def test_sync_chip_follows_receipts() -> None:
    words = {}
    for state, unsent in (
        (SyncState.SYNCED, 0),
        (SyncState.SENDING, 3),
        (SyncState.OFFLINE, 12),
        (SyncState.STOPPED, 1),
    ):
        around = replace(samples.around(), sync=SyncFacts(state, unsent))
        found = present(samples.idle(), around, samples.catalogue(), "zh")
        assert isinstance(found, WorkView)
        words[state] = found.frame.top.chips[0].text
    assert words == {
        SyncState.SYNCED: "已同步",
        SyncState.SENDING: "待传 3",
        SyncState.OFFLINE: "离线 12",
        SyncState.STOPPED: "同步停了",
    }


@pytest.mark.parametrize(
    ("code", "language", "said"),
    [
        ("needs-server-upgrade", "zh", "升级后自己会登记"),
        ("card-known", "zh", "叫主管"),
        ("revoked", "en", "keep the cards"),
        ("second-missing", "en", "let one rule again"),
        ("of-a-later-release", "zh", "告诉管理员"),
    ],
)
def test_what_the_centre_did_not_take_up_is_never_called_synced(code: str, language: str, said: str) -> None:
    """Its number, why, and what to do: on the chip, on the sheet, and before somebody leaves."""
    counts = ((CardState.AT_CENTRE, 4, 60), (CardState.NOT_TAKEN, 2, 900))
    around = replace(samples.around(), sync=SyncFacts(cards=counts, held=((code, 3), ("body", 1))))
    found = present(samples.idle(), around, samples.catalogue(), language)
    assert isinstance(found, WorkView)
    chip = found.frame.top.chips[0]
    assert (chip.tone, chip.text.split()[-1]) == (Tone.WARN, "2")
    assert opens_sheet("F12", samples.idle(), around, False)
    scene = Scene(around, samples.catalogue(), language)
    sheet = sync_sheet(scene, leaving=True)
    assert sheet.title == scene.say("sheet.leaving.not-taken")
    rows = {row.name: row for row in sheet.rows}
    held = rows[scene.say("sheet.held")]
    assert said in held.value
    assert held.chip is not None
    assert held.chip.text == "4"
    cards = rows[scene.say("sheet.card.not-taken")]
    assert (cards.chip.tone, cards.chip.text) == (Tone.WARN, "2")


def test_of_nothing_held_nothing_is_said() -> None:
    scene = Scene(replace(samples.around(), sync=SyncFacts()), samples.catalogue(), "zh")
    assert not any("没登记" in row.name for row in sync_sheet(scene).rows)


@pytest.mark.parametrize(
    ("code", "said"),
    [("sync.other_key", "另一把钥匙"), ("sync.unknown_station", "不认识"), ("sync.offline", "断网")],
)
def test_what_the_centre_refuses_is_told_and_is_not_called_offline(code: str, said: str) -> None:
    around = replace(samples.around(), sync=SyncFacts(SyncState.OFFLINE, 3, code=code))
    found = present(samples.idle(), around, samples.catalogue(), "zh")
    assert isinstance(found, WorkView)
    assert found.frame.banner is not None
    assert said in found.frame.banner.text


@pytest.mark.parametrize(("code", "said"), [("sync.split_view", "另一本账"), ("sync.station_replaced", "不认识的公钥")])
def test_what_a_person_has_to_look_at_stands_over_the_work(code: str, said: str) -> None:
    around = replace(samples.around(), sync=SyncFacts(SyncState.STOPPED, 3, code=code))
    found = present(samples.idle(), around, samples.catalogue(), "zh")
    assert isinstance(found, WorkView)
    banner = found.frame.banner
    assert banner is not None
    assert banner.tone is Tone.STOP
    assert said in banner.text


def test_stations_that_fell_silent_are_named_and_else_nothing_is_said_of_them() -> None:
    def rows(*silent: str) -> dict[str, str]:
        around = replace(samples.around(), sync=SyncFacts(silent=silent))
        return {row.name: row.value for row in sync_sheet(Scene(around, samples.catalogue(), "zh")).rows}

    assert "七天没消息的工位" not in rows()
    assert rows("sz-2")["七天没消息的工位"].startswith("sz-2：")
    assert "a、b、c …：" in rows("a", "b", "c", "d")["七天没消息的工位"]


def test_what_was_for_somebody_else_stands_on_the_sheet_and_else_nothing() -> None:
    def named(number: int, language: str) -> dict[str, Tone]:
        around = replace(samples.around(), sync=SyncFacts(misdirected=number))
        rows = sync_sheet(Scene(around, samples.catalogue(), language)).rows
        return {row.name: row.chip.tone for row in rows if row.chip is not None}

    assert "发错的中心消息" not in named(0, "zh")
    assert named(2, "zh")["发错的中心消息"] is Tone.WARN
    assert named(1, "en")["Meant for somebody else"] is Tone.WARN


def test_why_no_footage_gets_to_the_centre_stands_on_the_sheet() -> None:
    around = replace(samples.around(), sync=SyncFacts(footage_waiting=2, footage_code="sync.bucket_refused"))
    rows = {row.name: row for row in sync_sheet(Scene(around, samples.catalogue(), "en")).rows}
    assert "refuses the video" in rows["Videos not there yet"].value
    assert rows["Videos not there yet"].chip is not None
    assert rows["Videos not there yet"].chip.tone is Tone.WARN


def test_unreadable_number_leads_to_typing_or_review() -> None:
    found = work("number-unreadable")
    assert found.typing == "number"
    assert {"F6", "F7", "F9"} <= {k.key for k in found.keys}
    assert Question(Ask.NUMBER_UNREADABLE, "number").options == ()


@pytest.mark.parametrize(("language", "said"), [("zh", "16 位已看清 12 位"), ("en", "12 of 16 legible")])
def test_who_scratches_is_told_how_much_can_be_read(language: str, said: str) -> None:
    assert said in texts_of(work("pin-covered", language))


@pytest.mark.parametrize(
    ("language", "said"), [("zh", ("看来刮得过重", "要核对")), ("en", ("Looks over-scratched", "Compare"))]
)
def test_who_scratched_too_hard_is_told_to_compare(language: str, said: tuple[str, str]) -> None:
    scene = Scene(samples.around(), samples.catalogue(), language)
    panel = of_read(scene, replace(card_read("read-1"), torn=True), "", None)[3]
    assert (panel.value, panel.chip.text) == said
    assert of_read(scene, card_read("read-1"), "", None)[3].value != said[0]


def test_a_cards_region_and_batch_are_shown_while_it_is_read_and_after() -> None:
    scene = Scene(samples.around(), samples.catalogue(), "zh")
    read = replace(card_read("read-1"), region="CN", batch="A17-B")
    assert of_read(scene, read, "", None)[0].value.endswith("· CN · A17-B")
    kept = replace(samples.cards(1)[0], region="CN", batch="A17-B")
    assert of_card(scene, kept)[1].value == "•••• 3381 · CN · A17-B"
    assert of_card(scene, samples.cards(1)[0])[1].value == "•••• 3381"
    assert origin(scene, None, "A17-B") == "批 A17-B"
