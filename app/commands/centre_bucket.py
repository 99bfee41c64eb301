"""`cardintake centre bucket --objects s3://…`: whether the bucket holds on to what is deleted there.

Versioning and object lock are settings of the bucket. The centre makes neither; it says in words what it finds, also
when it begins to serve. What the bucket does not let it see is said too, and is no trouble.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.commands.complaint import spoken
from app.core.errors import BadInput
from app.server.folder import CentreFolder
from app.server.object_store import Keeping
from app.server.setup import open_objects
from ui.texts import say

ACTION = "bucket"


def done(args: argparse.Namespace) -> dict[str, Any]:
    """What was found. Raises BadInput("serve.objects"), StorageTrouble("store.objects_away")."""
    found = open_objects(CentreFolder(args.data or Path()), args.objects).keeping()
    if found is None:
        raise BadInput("serve.objects", "--objects s3://…")
    tell(found)
    return asdict(found)


def tell(found: Keeping | None) -> None:
    """The same in words on stderr; nothing of files of this machine."""
    if found is None:
        return
    language = spoken()
    lock = "bare" if found.lock == "on" and not found.days else found.lock
    lines = [say(f"bucket.versions.{found.versioning}", language, why=found.unseen)]
    lines.append(say(f"bucket.lock.{lock}", language, why=found.unseen, days=found.days, mode=found.mode))
    print("\n".join(lines), file=sys.stderr, flush=True)
