"""The command line: `cardintake COMMAND …` (= `python -m app`). Results as JSON on stdout, all else on stderr.

Each command is a module of `app.commands`; only the one that is called is imported, because a window and OpenCV must
not meet in one process. Exit codes: 0 ok, 2 bad usage or unreadable input, 3 something needed is away, 4 storage,
5 evidence, or what the centre answers, does not verify, 130 interrupted (Ctrl-C, SIGTERM): what was written half is
gone then, 141 nobody reads stdout any more.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from app import __version__
from app.commands.complaint import complain
from app.core.errors import Trouble
from app.logs import log_bugs, quiet_qt, start_logging
from app.platform import disk_trouble, has_no_room, keep_memory_private

COMMANDS = {
    "demo": "播放一次完整演练：开箱、读卡、录像、入库、上报 / one whole rehearsal from parcel to centre",
    "read": "读取卡片图片 / read pictures of cards",
    "scan": "文档扫描仪批量读卡：监视文件夹或 SANE / sheets of cards from a document scanner",
    "replay": "用录像跑整条相机流程 / run the camera pipeline on a video",
    "station": "无界面的工位：登记、采集、同步 / a station without a window: enrol, capture, sync",
    "centre": "中心管理：登记码、工位、卡、隔离 / administer the centre: codes, stations, cards, quarantine",
    "catalog": "卡片目录：检查、搜索、导入、学习、发布、回退 / the catalogue: check, search, import, learn, publish",
    "vault": "保险库：唯一能打开卡密的程序 / the vault, the one program that can open secrets",
    "serve": "运行中心服务器 / run the central server",
    "record": "不经工位直接录像 / film without a station",
    "recover": "修复被中断的录像 / finish a recording that was cut off",
    "verify": "校验录像或证据包 / verify a recording or a dossier",
    "dossier": "导出可自证的证据包 / export a stretch that proves itself",
    "export": "把录像解密成可播放的 MP4 / decrypt a recording into a playable MP4",
    "audit": "核对审计链 / verify an audit chain",
    "nfc": "看读写器上的芯片；停用芯片并验证 / look at a chip; switch it off and prove it",
    "support": "给技术支持打一个包：日志、检查结果，没有卡密 / a file for support: logs and findings, nothing secret",
    "doctor": "检查本机设备与环境 / examine this machine",
    "shots": "渲染全部界面图片 / render pictures of every screen",
    "render": "生成演练用的开箱录像 / render rehearsal footage",
    "recorder": "（内部）录像程序 / (internal) the recorder program",
    "label": "（内部）面单相机的录像程序 / (internal) the label camera's recorder program",
    "eye": "（内部）读卡程序 / (internal) the eye program",
    "lesson": "（内部）从照片学一种新卡 / (internal) learns a product from photographs",
    "leaks": "（内部）空闲时检查录像里有没有露出的卡密 / (internal) looks for PINs left in a recording",
}

_LONG_RUNNING = ("demo", "serve", "vault", "recorder", "label", "eye", "leaks")
"""Tell what they do; of a command that ends soon only trouble is of interest."""


_ONE_END_S = 2.0
_ended_s = [-_ONE_END_S]
"""When an end was last asked for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    outer = argparse.ArgumentParser(prog="cardintake", description="验卡台 Card Intake", allow_abbrev=False)
    outer.add_argument("--version", action="version", version=__version__)
    names = outer.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        names.add_parser(name, help=text, add_help=False)
    chosen = outer.parse_args(given[:1]).command
    if argv is None:
        _begin_process(chosen)
    try:
        command = importlib.import_module(f"app.commands.{chosen}")
        inner = argparse.ArgumentParser(prog=f"cardintake {chosen}", description=COMMANDS[chosen], allow_abbrev=False)
        command.add_arguments(inner)
        code = int(command.run(inner.parse_args(given[1:])))
        if argv is None and sys.stdout is not None:
            sys.stdout.flush()  # here, where it is known what to do when nobody reads any more
        return code
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        return 141
    except Trouble as problem:
        complain(problem)
        return problem.exit_code
    except OSError as wrong:
        if not has_no_room(wrong):
            raise
        full = disk_trouble(wrong, chosen)
        complain(full)
        return full.exit_code
    except KeyboardInterrupt:
        return 130


def _nobody_reads() -> bool:
    """Whether what read stdout has ended, as `head` does; what is left to say goes nowhere then, at the exit too."""
    try:
        print(flush=True)  # a flush alone finds nothing to write where stdout is not buffered
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return True
    return False


def _begin_process(program: str) -> None:
    """What every program of ours owes the secrets in its memory: no dumps, no debugger, no quotes in a log.

    And what it owes who looks at the terminal: no words of Qt's about a machine that is in order.
    """
    keep_memory_private()
    quiet_qt()
    start_logging(program, None, level=logging.INFO if program in _LONG_RUNNING else logging.WARNING)
    log_bugs()
    if program not in _LONG_RUNNING:
        signal.signal(signal.SIGTERM, _interrupted)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    """Somebody logs out, or ends the command: it ends as by Ctrl-C, and clears away what it wrote half.

    Said twice at once (`timeout` tells the process and its group) it is one end: the second would
    cut the clearing short.
    """
    now_s = time.monotonic()
    again = now_s - _ended_s[0] < _ONE_END_S
    _ended_s[0] = now_s
    if not again:
        raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
