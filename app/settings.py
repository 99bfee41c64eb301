"""The station's settings: one frozen object of small groups, read from TOML once and handed out group by group.

Each setting has title, text, bounds and default; the dialog and the manual are made from them (`describe`). Files of
older versions are upgraded step by step when read; a newer one, an unknown key or a bad value is refused with a code.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from annotated_types import BaseMetadata
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.core.errors import BadInput
from app.platform import durable_write

Table = dict[str, Any]
Upgrade = Callable[[Table], Table]

UPGRADES: tuple[Upgrade, ...] = ()
"""`UPGRADES[n - 1]` turns a file of version n into one of version n + 1. Never changed once released."""

VERSION = len(UPGRADES) + 1


@dataclass(frozen=True, slots=True)
class Words:
    """What an operator reads of a setting."""

    zh: str
    en: str
    text_zh: str
    text_en: str


def _safe_url(url: str) -> str:
    """Empty, https, or http on this machine."""
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if url and not (parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and local))):
        raise ValueError("https://… is needed (http:// on this machine only)")
    return url


def _web_url(url: str) -> str:
    """Empty, https or http: what comes from there proves itself, and what goes there is a hash."""
    parts = urlsplit(url)
    if url and not (parts.hostname and parts.scheme in ("http", "https")):
        raise ValueError("http://… or https://… is needed")
    return url


Name = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]
Identity = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Address = Annotated[str, StringConstraints(max_length=400, pattern=r"^[a-z][a-z0-9]*:[^\x00-\x1f\x7f]*$")]
Url = Annotated[str, StringConstraints(max_length=400), AfterValidator(_safe_url)]
WebUrl = Annotated[str, StringConstraints(max_length=400), AfterValidator(_web_url)]
FilePath = Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]
Prefix = Annotated[str, StringConstraints(max_length=8, pattern=r"^[\x21-\x7e]*$")]


class Group(BaseModel):
    """A few settings that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StationSettings(Group):
    """Which station this is."""

    id: Annotated[Identity, Words("工位编号", "Station id", "写进每条记录，不再改", "Stands in every record")] = (
        "station-01"
    )
    name: Annotated[Name, Words("工位名称", "Station name", "显示在顶栏", "Shown in the top bar")] = "工位 01"
    centre: Annotated[Name, Words("中心名称", "Centre name", "显示在顶栏", "Shown in the top bar")] = "验卡中心"
    people_keys: Annotated[
        FilePath,
        Words(
            "主管的个人钥匙放哪里",
            "Where supervisors' own keys lie",
            "空：工位文件夹里的 people；最好是随身的 U 盘",
            "Empty: people in the station's folder; better a stick that is carried",
        ),
    ] = ""


class CameraSettings(Group):
    """Addresses of the cameras, as `hardware.catalog` reads them."""

    overhead: Annotated[
        Address, Words("俯拍相机", "Overhead camera", "拍卡片和开箱的相机地址", "The camera that films table and cards")
    ] = "none:"
    spare: Annotated[Address, Words("备用相机", "Spare camera", "F4 换用的相机", "The camera that F4 changes to")] = (
        "none:"
    )
    label: Annotated[
        Address, Words("面单相机", "Label camera", "拍面单和封条的相机", "The camera that sees label and seal")
    ] = "none:"


class NfcSettings(Group):
    """The NFC reader."""

    address: Annotated[Address, Words("读写器", "Reader", "NFC 读写器地址", "Where the NFC reader is plugged")] = (
        "none:"
    )


class ScannerSettings(Group):
    """The barcode scanner: a serial one, or one that types (`wedge:`)."""

    address: Annotated[
        Address,
        Words("扫描枪", "Scanner", "串口扫描枪地址；wedge: 是键盘式", "A serial port; wedge: types like a keyboard"),
    ] = "wedge:"
    prefix: Annotated[
        Prefix, Words("前缀", "Prefix", "键盘式扫描枪在每个码前加的字符", "What a typing scanner puts before each code")
    ] = ""


class ServerSettings(Group):
    """The centre."""

    url: Annotated[
        Url, Words("中心地址", "Centre's address", "留空就只存本机", "Left empty everything stays on this machine")
    ] = ""
    spare_url: Annotated[
        Url, Words("备用地址", "Second address", "第一个连不上时自动换用", "Used by itself when the first is away")
    ] = ""
    footage_kbit_s: Annotated[
        int,
        Field(ge=0, le=10_000_000),
        Words("录像上传限速", "Upload limit for footage", "千比特每秒，0 不限", "kbit/s; 0 for none"),
    ] = 0
    footage_from_hour: Annotated[
        int,
        Field(ge=0, le=23),
        Words("录像几点开始上传", "Footage goes up from", "与结束相同就是全天", "Hour; equal: always"),
    ] = 0
    footage_to_hour: Annotated[
        int,
        Field(ge=0, le=23),
        Words("录像几点停止上传", "Footage goes up until", "可以跨过零点", "Hour; may pass midnight"),
    ] = 0


class RecordingSettings(Group):
    """Footage on this machine's disk."""

    reserve_mb: Annotated[
        int,
        Field(ge=4, le=4096),
        Words(
            "预留空间 MB", "Reserve in MB", "磁盘满时最后一条记录用", "Kept so that the last record fits a full disk"
        ),
    ] = 256
    keep_days: Annotated[
        int,
        Field(ge=1, le=3650),
        Words("录像至少留几天", "Footage stays (days)", "没到天数不清理", "Footage younger than this is never removed"),
    ] = 30
    keep_free_gb: Annotated[
        int,
        Field(ge=1, le=10_000),
        Words(
            "空间少于多少 GB 才清理",
            "Room to keep free (GB)",
            "中心收妥的旧录像先走",
            "Oldest first, and only what the centre holds",
        ),
    ] = 20
    backup_folder: Annotated[
        FilePath,
        Words(
            "数据库备份放哪里",
            "Where backups go",
            "空：工位文件夹里；最好是另一块盘",
            "Empty: in the station's folder; better another disk",
        ),
    ] = ""
    tsa_url: Annotated[
        WebUrl,
        Words(
            "时间戳机构地址",
            "Time-stamp authority",
            "录像封存后向它要时间戳 (RFC 3161)；留空不要",
            "Asked for a token (RFC 3161) of each closed recording; empty for none",
        ),
    ] = ""
    tsa_ca: Annotated[
        FilePath,
        Words(
            "时间戳机构证书",
            "Its root certificate",
            "PEM 文件；相对路径从工位文件夹算起",
            "A PEM file; a relative path begins at the station's folder",
        ),
    ] = ""

    @property
    def database_reserve_bytes(self) -> int:
        """The database's quarter of the reserve."""
        return self.reserve_mb * 1_000_000 // 4

    @property
    def footage_reserve_bytes(self) -> int:
        """The rest of it, for the recordings."""
        return self.reserve_mb * 1_000_000 - self.database_reserve_bytes


class VisionSettings(Group):
    """Reading cards."""

    threads: Annotated[
        int,
        Field(ge=1, le=16),
        Words("识别线程", "Reading threads", "核多可以加，录像优先", "More on many cores; recording comes first"),
    ] = 1


class UiSettings(Group):
    """How the window looks, sounds and feels."""

    language: Annotated[Literal["zh", "en"], Words("语言", "Language", "zh 或 en", "zh or en")] = "zh"
    theme: Annotated[Literal["light", "dark"], Words("外观", "Theme", "light 浅色，dark 深色", "light or dark")] = (
        "light"
    )
    hold_s: Annotated[
        float,
        Field(ge=0.6, le=2.0, allow_inf_nan=False),
        Words("按住时长 秒", "Hold time in s", "拒收这类操作要按住多久", "How long a key is held to reject"),
    ] = 1.0
    volume: Annotated[
        float,
        Field(ge=0.0, le=1.0, allow_inf_nan=False),
        Words("音量", "Volume", "0 到 1；录像中断的警报不会全静音", "0 to 1; the recording alarm is never silent"),
    ] = 0.6


class Settings(Group):
    """All settings of a station."""

    station: StationSettings = StationSettings()
    camera: CameraSettings = CameraSettings()
    nfc: NfcSettings = NfcSettings()
    scanner: ScannerSettings = ScannerSettings()
    server: ServerSettings = ServerSettings()
    recording: RecordingSettings = RecordingSettings()
    vision: VisionSettings = VisionSettings()
    ui: UiSettings = UiSettings()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as dialog and manual show it. `bounds`: "0.6 … 2.0", the choices, or ""."""

    path: str
    words: Words
    default: str | int | float
    bounds: str


def describe() -> tuple[Setting, ...]:
    """All settings in the order of the file."""
    found = []
    for group, holder in Settings.model_fields.items():
        kind = holder.annotation
        assert isinstance(kind, type)
        assert issubclass(kind, Group)
        for name, field in kind.model_fields.items():
            words = next(extra for extra in field.metadata if isinstance(extra, Words))
            found.append(Setting(f"{group}.{name}", words, field.default, _bounds(field.annotation, field.metadata)))
    return tuple(found)


def _bounds(kind: object, metadata: Sequence[object]) -> str:
    limits = [
        getattr(m, side) for m in metadata if isinstance(m, BaseMetadata) for side in ("ge", "le") if hasattr(m, side)
    ]
    return " … ".join(str(limit) for limit in limits) or " | ".join(str(choice) for choice in get_args(kind))


def load_settings(path: Path) -> Settings:
    """Read a settings file. Raises BadInput: settings.missing, and what `parse_settings` raises."""
    try:
        data = path.read_bytes()
    except OSError as wrong:
        raise BadInput("settings.missing", f"{path.name}: {wrong.strerror}") from wrong
    return parse_settings(data)


def parse_settings(data: bytes, upgrades: Sequence[Upgrade] = UPGRADES) -> Settings:
    """Settings from the bytes of a TOML file. What is not given keeps its default.

    Raises BadInput: settings.not_toml (with the line), settings.newer, settings.unknown_key ("camera.ovrhead, did you
    mean overhead?"), settings.bad_value ("ui.volume: 3 - …").
    """
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as wrong:
        raise BadInput("settings.not_toml", str(wrong)) from wrong
    table = _upgraded(table, upgrades)
    _refuse_unknown(table)
    try:
        return Settings.model_validate(table)
    except ValidationError as wrong:
        raise BadInput("settings.bad_value", _first_fault(wrong)) from wrong


def _upgraded(table: Table, upgrades: Sequence[Upgrade]) -> Table:
    newest = len(upgrades) + 1
    version = table.pop("version", newest)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BadInput("settings.bad_value", f"version: {version!r}")
    if version > newest:
        raise BadInput("settings.newer", f"version {version}, known up to {newest}")
    for upgrade in upgrades[version - 1 :]:
        table = upgrade(table)
    return table


def _refuse_unknown(table: Table) -> None:
    _refuse_strangers("", table, Settings)
    for name, holder in Settings.model_fields.items():
        group = table.get(name)
        if isinstance(group, dict) and isinstance(holder.annotation, type) and issubclass(holder.annotation, Group):
            _refuse_strangers(f"{name}.", group, holder.annotation)


def _refuse_strangers(where: str, table: Mapping[str, object], kind: type[Group]) -> None:
    known = list(kind.model_fields)
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise BadInput("settings.unknown_key", f"{where}{key}, {hint}")


def _first_fault(wrong: ValidationError) -> str:
    fault = wrong.errors(include_url=False)[0]
    return f"{'.'.join(str(step) for step in fault['loc'])}: {fault['input']!r} - {fault['msg']}"


def save_settings(path: Path, settings: Settings) -> None:
    """Write a settings file whole or not at all, with a comment for each setting. Raises OSError."""
    durable_write(path, to_toml(settings).encode())


def to_toml(settings: Settings) -> str:
    """The text of a settings file that `parse_settings` reads back to the same settings."""
    lines = ["# 验卡台设置 / Card Intake settings", f"version = {VERSION}"]
    group = ""
    for setting in describe():
        section, _, name = setting.path.partition(".")
        if section != group:
            group = section
            lines += ["", f"[{section}]"]
        words = setting.words
        bounds = f" [{setting.bounds}]" if setting.bounds else ""
        lines.append(f"# {words.zh}：{words.text_zh} / {words.en}: {words.text_en}{bounds}")
        lines.append(f"{name} = {_toml(getattr(getattr(settings, section), name))}")
    return "\n".join(lines) + "\n"


def _toml(value: str | int | float) -> str:
    """A value in TOML: JSON's spelling, which TOML shares but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
