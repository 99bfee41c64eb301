"""The server program as `python -m app.server DIR`, for those who start it as a child (see `embedded`).

Says one JSON line on stdout: {"url", "pid"} when it serves, {"code", "detail"} when it cannot.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from app.core.errors import Trouble
from app.server.run import DEFAULT_PORT, serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="app.server")
    parser.add_argument("data", type=Path)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--until-stdin-closes", action="store_true")
    given = parser.parse_args()
    try:
        serve(given.data, given.port, until_stdin_closes=given.until_stdin_closes)
    except Trouble as trouble:
        print(json.dumps({"code": trouble.code, "detail": trouble.detail}), flush=True)
        return trouble.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
