"""Trouble words for files, settings, decks, recordings and chains; mostly met on the command line.

See `ui.troubles`.
"""

from __future__ import annotations

from ui.troubles import Bilingual, Pair


def _t(title: str, do: str, kept: str) -> Bilingual:
    return Bilingual(title, tuple(do.split("|")), kept)


_FILE_ZH = "文件没有动。"
_FILE_EN = "The file was not touched."

INPUT: dict[str, Pair] = {
    "input.missing": (
        _t("没有这个文件", "看名字和文件夹写对了没有", "什么都没有写入。"),
        _t("There is no such file", "Check its name and folder", "Nothing was written."),
    ),
    "input.empty": (
        _t("文件是空的", "换一份完整的文件", _FILE_ZH),
        _t("The file is empty", "Use a complete copy", _FILE_EN),
    ),
    "input.not_an_image": (
        _t("这不是能读的图片", "用 PNG 或 JPEG 图片|重新导出一份再试", _FILE_ZH),
        _t("This is not a readable picture", "Use a PNG or JPEG picture|Export it again and retry", _FILE_EN),
    ),
    "input.not_a_video": (
        _t("这不是能读的视频", "用 MP4 视频|重新导出一份再试", _FILE_ZH),
        _t("This is not a readable video", "Use an MP4 video|Export it again and retry", _FILE_EN),
    ),
    "input.empty_video": (
        _t("视频里没有画面", "换一段有画面的视频", _FILE_ZH),
        _t("The video has no pictures", "Use a video with pictures", _FILE_EN),
    ),
    "input.broken_video": (
        _t("视频坏了", "换一份完整的视频", "坏处之前的画面已处理。"),
        _t("The video is broken", "Use a complete copy", "What came before the break was used."),
    ),
    "input.denied": (
        _t("不让读这个文件", "改文件权限再试", _FILE_ZH),
        _t("No permission to read the file", "Change its permissions and retry", _FILE_EN),
    ),
    "input.too_large": (
        _t("文件太大", "换小一些的文件", _FILE_ZH),
        _t("The file is too large", "Use a smaller file", _FILE_EN),
    ),
    "output.exists": (
        _t("目标文件已经在了", "换一个名字|或先移走旧的", "旧文件没有动。"),
        _t("The output file exists", "Choose another name|Or move the old one away", "The old file was not touched."),
    ),
    "output.not_writable": (
        _t("写不了目标文件", "看文件夹在不在、让不让写", "没有留下半个文件。"),
        _t("The output cannot be written", "Check that the folder exists and may be written", "No half file was left."),
    ),
    "reading.model_missing": (
        _t("缺少识别模型", "运行 **make run** 重新安装|或重装验卡台", _FILE_ZH),
        _t("The reading model is missing", "Run **make run** to install again|Or reinstall Card Intake", _FILE_EN),
    ),
    "catalog.bad_template": (
        _t("卡片模板写错了", "按下面这行改模板文件|再启动一次", "其他模板没有动，没有启用这一份。"),
        _t(
            "A card template is wrong",
            "Mend the file at the line below|Start again",
            "Other templates are untouched; this one is not used.",
        ),
    ),
    "catalog.missing": (
        _t("没有卡片模板", "重装验卡台或放回模板文件", "什么都没有写入。"),
        _t("There are no card templates", "Reinstall, or put the template files back", "Nothing was written."),
    ),
    "template.syntax": (
        _t("模板格式不对", "按下面这行改模板文件", _FILE_ZH),
        _t("The template's syntax is wrong", "Mend the file at the line below", _FILE_EN),
    ),
    "template.value": (
        _t("模板里有个值不对", "按下面这行改模板文件", _FILE_ZH),
        _t("A value in the template is wrong", "Mend the file at the line below", _FILE_EN),
    ),
    "template.key": (
        _t("模板里有不认识的项", "按下面这行改模板文件", _FILE_ZH),
        _t("The template has an unknown key", "Mend the file at the line below", _FILE_EN),
    ),
    "template.missing": (
        _t("没有找到模板", "放回模板文件或重新安装", "什么都没有写入。"),
        _t("The template is missing", "Put the file back or install again", "Nothing was written."),
    ),
}

SETTINGS: dict[str, Pair] = {
    "settings.unknown_key": (
        _t("设置里有不认识的项", "看下面这行，多半是拼写|改好再启动", "设置文件没有动。"),
        _t(
            "The settings have an unknown key",
            "See the line below: mostly a typing slip|Mend it and start again",
            "The settings file was not touched.",
        ),
    ),
    "settings.bad_value": (
        _t("设置里有个值不对", "按下面这行改|改好再启动", "设置文件没有动。"),
        _t(
            "A value in the settings is wrong",
            "Mend it as the line below says|Start again",
            "The settings file was not touched.",
        ),
    ),
    "settings.not_toml": (
        _t("设置文件格式不对", "看下面这行的行号，改好再启动|或从备份放回", "设置文件没有动。"),
        _t(
            "The settings file is not TOML",
            "Mend the line named below|Or put the backup back",
            "The settings file was not touched.",
        ),
    ),
    "settings.missing": (
        _t("没有找到设置文件", "看 --settings 的路径|不写就用默认设置", "什么都没有写入。"),
        _t(
            "There is no settings file",
            "Check the path after --settings|Leave it out to use the defaults",
            "Nothing was written.",
        ),
    ),
    "settings.newer": (
        _t("设置来自更新的版本", "安装更新的验卡台", "设置文件没有动。"),
        _t(
            "The settings are from a newer version", "Install a newer Card Intake", "The settings file was not touched."
        ),
    ),
    "usage": (
        _t("命令写得不对", "加 **--help** 看用法", "什么都没有写入。"),
        _t("The command is wrong", "Add **--help** to see how", "Nothing was written."),
    ),
}

DECK: dict[str, Pair] = {
    "deck.missing": (
        _t("没有这份演练脚本", "看名字和文件夹写对了没有", "什么都没有写入。"),
        _t("There is no such deck", "Check its name and folder", "Nothing was written."),
    ),
    "deck.syntax": (
        _t("演练脚本格式不对", "看下面这行的行号，改好再来", "脚本没有动。"),
        _t("The deck is not TOML", "Mend the line named below", "The deck was not touched."),
    ),
    "deck.key": (
        _t("演练脚本有不认识的项", "按下面这行改脚本", "脚本没有动。"),
        _t("The deck has an unknown key", "Mend the deck as the line below says", "The deck was not touched."),
    ),
    "deck.value": (
        _t("演练脚本有个值不对", "按下面这行改脚本", "脚本没有动。"),
        _t("A value in the deck is wrong", "Mend the deck as the line below says", "The deck was not touched."),
    ),
    "deck.product": (
        _t("脚本里的卡不认识", "看模板里有没有这种卡", "脚本没有动。"),
        _t("The deck names an unknown product", "See whether a template has it", "The deck was not touched."),
    ),
    "deck.impossible": (
        _t("脚本里的动作做不到", "按下面这行改脚本", "脚本没有动。"),
        _t("The deck asks the impossible", "Mend the deck as the line below says", "The deck was not touched."),
    ),
    "rehearsal.font_missing": (
        _t("缺少画卡用的字体", "安装 Noto CJK 字体|或运行 **make run**", "什么都没有写入。"),
        _t(
            "A font for drawing cards is missing",
            "Install the Noto CJK fonts|Or run **make run**",
            "Nothing was written.",
        ),
    ),
}

_KEEP_ZH = "原来的录像和记录没有动。"
_KEEP_EN = "The recording and the records were not touched."

EVIDENCE: dict[str, Pair] = {
    "audit.broken": (
        _t("审计记录对不上", "不要再写入这个文件夹|把整个文件夹交给主管", _KEEP_ZH),
        _t(
            "The audit chain is broken",
            "Write nothing more into this folder|Give the whole folder to a supervisor",
            _KEEP_EN,
        ),
    ),
    "recording.broken": (
        _t("录像有改动，不能作证据", "不要删除|交给主管和技术支持", _KEEP_ZH),
        _t("The video was altered: no evidence", "Do not delete it|Give it to a supervisor and support", _KEEP_EN),
    ),
    "recording.not_rehearsal": (
        _t("这不是演练录像", "这一版只打开演练录像", _KEEP_ZH),
        _t("This is no rehearsal recording", "This version opens rehearsal recordings only", _KEEP_EN),
    ),
    "evidence.no_recording": (
        _t("这里没有录像", "看文件夹写对了没有", _KEEP_ZH),
        _t("There is no recording here", "Check the folder's name", _KEEP_EN),
    ),
    "evidence.not_decryptable": (
        _t("录像解不开", "看是不是这台工位的录像|用它自己的钥匙再开", _KEEP_ZH),
        _t("The video cannot be decrypted", "See whether it is this station's|Open it with its own key", _KEEP_EN),
    ),
    "evidence.other_key": (
        _t("录像由别的工位签名", "用那台工位的公钥核对", _KEEP_ZH),
        _t("Another station signed the video", "Check it with that station's key", _KEEP_EN),
    ),
    "evidence.closed": (
        _t("这段录像已经封存", "要录就开新的一段", _KEEP_ZH),
        _t("This recording is sealed", "Begin a new one", _KEEP_EN),
    ),
    "evidence.chain_broken": (
        _t("录像记录断链", "不能作证据，交给主管|下面这行是断处", _KEEP_ZH),
        _t(
            "The recording's chain is broken",
            "No evidence any more: tell a supervisor|The line below says where",
            _KEEP_EN,
        ),
    ),
    "evidence.record_changed": (
        _t("录像记录被改过", "不能作证据，交给主管|下面这行是改动处", _KEEP_ZH),
        _t(
            "A record of the video was changed",
            "No evidence any more: tell a supervisor|The line below says where",
            _KEEP_EN,
        ),
    ),
    "evidence.record_malformed": (
        _t("录像记录格式不对", "不能作证据，交给主管", _KEEP_ZH),
        _t("A record of the video is malformed", "No evidence any more: tell a supervisor", _KEEP_EN),
    ),
    "evidence.out_of_place": (
        _t("录像记录顺序不对", "不能作证据，交给主管", _KEEP_ZH),
        _t("A record of the video is out of place", "No evidence any more: tell a supervisor", _KEEP_EN),
    ),
    "evidence.root_differs": (
        _t("录像封存值对不上", "不能作证据，交给主管", _KEEP_ZH),
        _t("The recording's seal does not match", "No evidence any more: tell a supervisor", _KEEP_EN),
    ),
}
