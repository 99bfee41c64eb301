"""For each trouble code: what happened, what to do, what was kept, in Chinese and English.

Form: the title is the cause; the acts are numbered by the reader; the last line says what is safe. `**word**` is bold.
Device codes are "<device>.<reason>"; devices without a line of their own fall back to the words for any device.
"""

from __future__ import annotations

from typing import NamedTuple


class Bilingual(NamedTuple):
    """One trouble in one language: title, acts, what was kept."""

    title: str
    do: tuple[str, ...]
    kept: str


def _t(title: str, do: str, kept: str) -> Bilingual:
    return Bilingual(title, tuple(do.split("|")), kept)


Pair = tuple[Bilingual, Bilingual]

_SAFE_ZH = "存好的卡和录像都没有动。"
_SAFE_EN = "Saved cards and video were not touched."
_NOTHING_ZH = "什么都没有写入。"
_NOTHING_EN = "Nothing was written."
_VIDEO_ZH = "断开前的录像和已存好的卡不受影响。"
_VIDEO_EN = "The video up to here and the saved cards are safe."

CAMERA: dict[str, Pair] = {
    "camera.lost": (
        _t(
            "相机断开，录像停了",
            "把相机的 **USB 线**插回电脑|等画面回来（通常 3–5 秒）|画面回来后按**空格**续录",
            _VIDEO_ZH,
        ),
        _t(
            "Camera unplugged, not recording",
            "Plug the **USB cable** back in|Wait for the picture (3–5 s)|Press **Space** to go on",
            _VIDEO_EN,
        ),
    ),
    "camera.missing": (
        _t("没有找到相机", "插好相机的 **USB 线**|看相机的灯亮不亮|还不行就换一个 USB 口", _SAFE_ZH),
        _t(
            "No camera found",
            "Plug in the camera's **USB cable**|See whether its light is on|Else try another USB port",
            _SAFE_EN,
        ),
    ),
    "camera.busy": (
        _t("相机被别的程序占着", "关掉**会议、相机**一类的程序|等画面回来|还不行就拔下再插", _SAFE_ZH),
        _t(
            "Another program has the camera",
            "Close **meeting or camera** programs|Wait for the picture|Else unplug it and plug it in again",
            _SAFE_EN,
        ),
    ),
    "camera.denied": (
        _t("不让用相机", "在电脑设置里**允许使用相机**|把本机用户加进 video 组|重新启动验卡台", _SAFE_ZH),
        _t(
            "No permission for the camera",
            "**Allow the camera** in the computer's settings|Add this user to the group video|Start Card Intake again",
            _SAFE_EN,
        ),
    ),
    "camera.timeout": (
        _t("相机没有送画面，录像停了", "看相机的 **USB 线**插紧没有|等画面回来|画面回来后按**空格**续录", _VIDEO_ZH),
        _t(
            "The camera sends no picture",
            "Push the **USB cable** in|Wait for the picture|Press **Space** to go on",
            _VIDEO_EN,
        ),
    ),
    "camera.garbled": (
        _t("相机画面坏了，录像停了", "换一根短的 **USB 线**|不要经过集线器|画面回来后按**空格**续录", _VIDEO_ZH),
        _t(
            "The camera's picture is broken",
            "Use a shorter **USB cable**|Do not use a hub|Press **Space** to go on",
            _VIDEO_EN,
        ),
    ),
    "camera.ended": (
        _t("这段录像放完了", "按**空格**去清点|或换一段录像再开始", _SAFE_ZH),
        _t("The recorded film has ended", "Press **Space** to count|Or start again with another film", _SAFE_EN),
    ),
    "camera.not_ready": (
        _t("相机还没有准备好", "插好相机，等画面出来|再扫一次运单", "运单没有被占用，可以再扫。"),
        _t(
            "The camera is not ready",
            "Plug it in and wait for the picture|Scan the waybill again",
            "The waybill is not used up; scan it again.",
        ),
    ),
    "camera.frozen": (
        _t("画面不动了，录像停了", "拔下相机再插上|等画面回来|画面回来后按**空格**续录", _VIDEO_ZH),
        _t(
            "The picture has frozen",
            "Unplug the camera and plug it in|Wait for the picture|Press **Space** to go on",
            _VIDEO_EN,
        ),
    ),
}

_DEVICES: dict[str, tuple[str, str]] = {
    "nfc": ("NFC 读写器", "NFC reader"),
    "scanner": ("扫描枪", "scanner"),
    "device": ("设备", "device"),
    "printer": ("打印机", "printer"),
}

_REASONS: dict[str, Pair] = {
    "missing": (
        _t("没有找到{zh}", "插好**{zh}**的线|看设备页里的端口对不对", _SAFE_ZH),
        _t("No {en} found", "Plug in the **{en}**|Check its port in Devices", _SAFE_EN),
    ),
    "busy": (
        _t("{zh}被别的程序占着", "关掉占用它的程序|拔下再插", _SAFE_ZH),
        _t("Another program has the {en}", "Close that program|Unplug it and plug it in again", _SAFE_EN),
    ),
    "denied": (
        _t("不让用{zh}", "把本机用户加进 dialout 组|重新登录电脑", _SAFE_ZH),
        _t("No permission for the {en}", "Add this user to the group dialout|Sign in to the computer again", _SAFE_EN),
    ),
    "lost": (
        _t("{zh}断开了", "把线插回去|它会自己接上", _SAFE_ZH),
        _t("The {en} was unplugged", "Plug it back in|It connects by itself", _SAFE_EN),
    ),
    "timeout": (
        _t("{zh}没有回答", "拔下等 3 秒再插|还不行就换一个 USB 口", _SAFE_ZH),
        _t("The {en} does not answer", "Unplug it, wait 3 s, plug it in|Else try another USB port", _SAFE_EN),
    ),
    "garbled": (
        _t("{zh}的回答看不懂", "看端口选对了没有|换一根线", _SAFE_ZH),
        _t("The {en} answers nonsense", "Check that the right port is set|Try another cable", _SAFE_EN),
    ),
    "ended": (
        _t("{zh}的脚本放完了", "换一份脚本再开始", _SAFE_ZH),
        _t("The script of the {en} has ended", "Start again with another deck", _SAFE_EN),
    ),
}


def _fill(text: Bilingual, zh: str, en: str) -> Bilingual:
    return Bilingual(text.title.format(zh=zh, en=en), tuple(d.format(zh=zh, en=en) for d in text.do), text.kept)


DEVICES: dict[str, Pair] = {
    f"{device}.{reason}": (_fill(pair[0], zh, en), _fill(pair[1], zh, en))
    for device, (zh, en) in _DEVICES.items()
    for reason, pair in _REASONS.items()
}

STORE: dict[str, Pair] = {
    "store.disk_full": (
        _t("磁盘满了", "删掉或移走不用的大文件|空间够了按**空格**继续", "最后一张卡已用预留空间存好；存好的都在。"),
        _t(
            "The disk is full",
            "Delete or move large files|Then press **Space** to go on",
            "The last card was saved in the reserve; all saved cards are safe.",
        ),
    ),
    "store.io": (
        _t("磁盘写不进去", "看磁盘是不是断开或只读|按**空格**再存一次", "没存好的这一张还在手里，其他都在。"),
        _t(
            "The disk cannot be written",
            "See whether it is unplugged or read-only|Press **Space** to save again",
            "Only the card in hand is not saved; all others are safe.",
        ),
    ),
    "store.locked": (
        _t("数据库正被占用", "关掉另一个打开它的程序|再试一次", _SAFE_ZH),
        _t("The database is in use", "Close the other program that opened it|Try again", _SAFE_EN),
    ),
    "store.newer_database": (
        _t("数据来自更新的版本", "安装**更新的**验卡台再打开", "数据库没有动。"),
        _t(
            "The data is from a newer version",
            "Install a **newer** Card Intake, then open it",
            "The database was not touched.",
        ),
    ),
    "store.damaged": (
        _t("数据库坏了", "不要删除数据文件夹|把整个文件夹复制一份交给技术支持", "原文件没有动；已上传的都在中心。"),
        _t(
            "The database is damaged",
            "Do not delete the data folder|Give a copy of the whole folder to support",
            "The file was not touched; what was uploaded is at the centre.",
        ),
    ),
    "store.wrong_key": (
        _t("打不开数据库：密钥不对", "看是不是用了别的工位的文件夹|用这台工位的密钥再打开", "数据库没有动。"),
        _t(
            "The database key is wrong",
            "See whether the folder is another station's|Open it with this station's key",
            "The database was not touched.",
        ),
    ),
    "store.key_missing": (
        _t("找不到数据库的密钥", "把密钥文件放回数据文件夹旁边|或解锁系统密钥环后再启动", "数据库没有动。"),
        _t(
            "The database key is missing",
            "Put the key file back beside the data folder|Or unlock the keyring and start again",
            "The database was not touched.",
        ),
    ),
    "store.missing": (
        _t("没有找到数据库", "看数据文件夹写对了没有|第一次用先做 **init**", _NOTHING_ZH),
        _t("No database found", "Check the data folder's name|The first time, run **init**", _NOTHING_EN),
    ),
    "store.missing_over_enrolled_folder": (
        _t("工位文件夹里少了数据库", "从备份放回数据库|不要新建，会断掉审计链", "没有新建数据库；录像和钥匙都在。"),
        _t(
            "The station's database is gone",
            "Put it back from the backup|Do not make a new one: it would break the audit chain",
            "No new database was made; video and keys are there.",
        ),
    ),
    "store.exists": (
        _t("这里已经有数据库了", "换一个空文件夹|或直接打开这一个", "原来的数据库没有动。"),
        _t(
            "There is a database here already",
            "Choose an empty folder|Or open this one",
            "The database there was not touched.",
        ),
    ),
    "store.sqlite_too_old": (
        _t("数据库组件太旧", "重新安装验卡台", "数据库没有动。"),
        _t("The database component is too old", "Install Card Intake again", "The database was not touched."),
    ),
    "store.rehearsal_passphrase": (
        _t("这不是演练文件夹", "演练请用新的空文件夹", "工位的数据没有动。"),
        _t(
            "This is not a rehearsal folder",
            "Use a new, empty folder for rehearsals",
            "The station's data was not touched.",
        ),
    ),
    "store.stopped": (
        _t("存储已经停下", "重新启动验卡台", "停下前存好的都在。"),
        _t("Storage has stopped", "Start Card Intake again", "All that was saved before is safe."),
    ),
    "store.parcel_not_open": (
        _t("这个包裹已经封存", "扫下一个运单", "封存的内容没有变。"),
        _t("This parcel is sealed already", "Scan the next waybill", "What is sealed was not changed."),
    ),
    "store.unknown_card": (
        _t("找不到这张卡", "回到清点再选一次", "其他卡没有变。"),
        _t("This card is not found", "Go back to the count and choose again", "The other cards were not changed."),
    ),
    "disk.full": (
        _t("磁盘满了，录像停了", "删掉或移走不用的大文件|空间够了按**空格**续录", _VIDEO_ZH),
        _t("The disk is full, not recording", "Delete or move large files|Then press **Space** to go on", _VIDEO_EN),
    ),
    "disk.low": (
        _t("录像空间不到 10 分钟", "先上传或移走旧录像|再扫运单", "运单没有被占用，可以再扫。"),
        _t(
            "Less than 10 min of video space",
            "Upload or move old videos|Then scan the waybill",
            "The waybill is not used up; scan it again.",
        ),
    ),
    "disk.lost": (
        _t("磁盘断开了，录像停了", "把磁盘插回去|回来后按**空格**续录", _VIDEO_ZH),
        _t("The disk was unplugged", "Plug it back in|Then press **Space** to go on", _VIDEO_EN),
    ),
    "disk.slow": (
        _t("磁盘太慢", "关掉正在拷贝的程序|还慢就换一块磁盘", "录像没有丢帧。"),
        _t(
            "The disk is too slow",
            "Stop programs that copy files|Else use another disk",
            "No frame of the video was lost.",
        ),
    ),
}

PROGRAMS: dict[str, Pair] = {
    "recorder.gone": (
        _t("录像程序停了", "手停一下，它会自己重新启动|红色「录像中」回来后按**空格**", _VIDEO_ZH),
        _t(
            "The recorder stopped",
            "Hands off: it starts again by itself|When REC is red again, press **Space**",
            _VIDEO_EN,
        ),
    ),
    "recorder.lost": (
        _t("录像程序停了", "手停一下，它会自己重新启动|红色「录像中」回来后按**空格**", _VIDEO_ZH),
        _t(
            "The recorder stopped",
            "Hands off: it starts again by itself|When REC is red again, press **Space**",
            _VIDEO_EN,
        ),
    ),
    "recorder.not_closed": (
        _t("录像还没有封好", "手停一下，按**空格**再封一次|还不行就重新启动验卡台", "录像在磁盘上；存好的卡都在。"),
        _t(
            "The video is not sealed yet",
            "Press **Space** to seal it again|Else start Card Intake again",
            "The video is on the disk; saved cards are safe.",
        ),
    ),
    "recorder.stalled": (
        _t("录像没有写进磁盘", "手停一下，等它恢复|红色「录像中」回来后按**空格**", _VIDEO_ZH),
        _t(
            "No video reaches the disk", "Hands off until it recovers|When REC is red again, press **Space**", _VIDEO_EN
        ),
    ),
    "recorder.refused": (
        _t("录像没能开始", "再扫一次运单|还不行就重新启动验卡台", "包裹没有拆，什么都没有丢。"),
        _t(
            "Recording could not start",
            "Scan the waybill again|Else start Card Intake again",
            "The parcel is closed and nothing is lost.",
        ),
    ),
    "recorder.real_camera_not_yet": (
        _t("这一版还不录真相机", "用演练素材：sim: 或 file:|等带遮挡录像的版本", _NOTHING_ZH),
        _t(
            "Real cameras are not recorded yet",
            "Use rehearsal material: sim: or file:|Wait for the version that masks the video",
            _NOTHING_EN,
        ),
    ),
    "recorder.encoder": (
        _t("视频编码停了，录像停了", "手停一下，等它恢复|红色「录像中」回来后按**空格**", _VIDEO_ZH),
        _t(
            "The video encoder stopped", "Hands off until it recovers|When REC is red again, press **Space**", _VIDEO_EN
        ),
    ),
    "eye.gone": (
        _t("读卡程序停了", "卡先别动，它会自己重新启动", _SAFE_ZH),
        _t("The card reader program stopped", "Leave the card: it starts again by itself", _SAFE_EN),
    ),
    "eye.garbled": (
        _t("读卡程序的回答看不懂", "重新启动验卡台", _SAFE_ZH),
        _t("The card reader program talks nonsense", "Start Card Intake again", _SAFE_EN),
    ),
    "program.gone": (
        _t("后台程序停了", "等它自己重新启动", _SAFE_ZH),
        _t("A background program stopped", "Wait until it starts again", _SAFE_EN),
    ),
    "program.not_started": (
        _t("后台程序没能启动", "看磁盘空间和权限|再启动一次", _SAFE_ZH),
        _t("A background program did not start", "Check disk space and permissions|Start again", _SAFE_EN),
    ),
    "program.already_running": (
        _t("验卡台已经开着", "用已经打开的那个窗口|或先关掉它", _SAFE_ZH),
        _t("Card Intake is running already", "Use the window that is open|Or close it first", _SAFE_EN),
    ),
    "program.fault": (
        _t("程序出错，已停下", "重新启动验卡台|把下面这行告诉技术支持", "录像已收尾；存好的卡都在。"),
        _t(
            "A fault stopped the work",
            "Start Card Intake again|Tell support the line below",
            "The recording was closed; saved cards are safe.",
        ),
    ),
    "supervisor.wanted": (
        _t("请主管来看", "包裹放在原处|主管刷**工牌**后继续", "录像没有断；存好的卡都在。"),
        _t(
            "A supervisor is called",
            "Leave the parcel where it is|It goes on with a supervisor's **badge**",
            "The recording goes on; saved cards are safe.",
        ),
    ),
}

CENTRE: dict[str, Pair] = {
    "server.away": (
        _t("连不上中心", "继续干活就行|联网后自动上传", "都存在本机，一笔不少。"),
        _t(
            "The centre cannot be reached",
            "Keep working|It uploads by itself later",
            "Everything is saved here, nothing is missing.",
        ),
    ),
    "server.refused": (
        _t("中心没有收下", "继续干活|把下面这行告诉技术支持", "都存在本机，不会删。"),
        _t(
            "The centre did not take it",
            "Keep working|Tell support the line below",
            "Everything is saved here and stays.",
        ),
    ),
    "sync.rehearsal_off_loopback": (
        _t("演练数据不能发到外面", "演练只连**本机**的中心|把地址改成 127.0.0.1", "没有发出任何数据。"),
        _t(
            "Rehearsal data may not leave",
            "Rehearsals use a centre on **this computer**|Set the address to 127.0.0.1",
            "Nothing was sent.",
        ),
    ),
    "sync.untrusted_answer": (
        _t("中心的签名不对", "先不要重试|请技术支持核对中心的钥匙", "都存在本机；这次的答复没有采用。"),
        _t(
            "The centre's signature is wrong",
            "Do not try again|Have support check the centre's key",
            "Everything is saved here; the answer was not used.",
        ),
    ),
    "sync.fork": (
        _t("中心有另一份记录", "先停下这台工位|马上联系技术支持", "本机的记录没有改。"),
        _t(
            "The centre holds another history",
            "Stop this station|Call support at once",
            "The records here were not changed.",
        ),
    ),
    "sync.stopped": (
        _t("同步停了", "重新启动验卡台", "都存在本机，一笔不少。"),
        _t("Sync has stopped", "Start Card Intake again", "Everything is saved here, nothing is missing."),
    ),
    "serve.port_in_use": (
        _t("端口被占用了", "关掉占用它的程序|或用 **--port** 换一个", _NOTHING_ZH),
        _t("The port is in use", "Close the program that uses it|Or choose another with **--port**", _NOTHING_EN),
    ),
    "serve.not_initialised": (
        _t("中心还没有初始化", "先运行 **cardintake serve --init**", _NOTHING_ZH),
        _t("The centre is not set up", "Run **cardintake serve --init** first", _NOTHING_EN),
    ),
    "serve.already_initialised": (
        _t("中心已经初始化过", "去掉 --init 直接启动", "原来的钥匙和数据没有动。"),
        _t("The centre is set up already", "Start it without --init", "Its keys and data were not touched."),
    ),
}
