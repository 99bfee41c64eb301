"""Runs every `tests/bench/bench_*.py`, each in a process of its own; figures go to `out/bench/NAME.json`.

python -m tests.bench [NAME…]      e.g. `python -m tests.bench store`; `soak` and `pins` take long: only when named
"""

from __future__ import annotations

import json
import os
import platform
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
OUT = Path("out/bench")
ONLY_NAMED = frozenset({"soak", "pins"})


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {"cpu": model, "cpus": os.cpu_count(), "system": platform.system(), "python": platform.python_version()}


def run_here(script: Path) -> None:
    """Call the `main()` of one script in this process and write its figures."""
    sys.argv = [str(script)]
    started = time.monotonic()
    figures = runpy.run_path(str(script))["main"]()
    told = {"figures": figures, "machine": machine(), "wall_s": round(time.monotonic() - started, 1)}
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{script.stem.removeprefix('bench_')}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False))


def main(names: list[str]) -> int:
    """Run all, or those that are named; 1 when one failed."""
    known = {script.stem.removeprefix("bench_"): script for script in sorted(HERE.glob("bench_*.py"))}
    scripts = [script for name, script in known.items() if (name in names if names else name not in ONLY_NAMED)]
    failed = []
    for script in scripts:
        print(f"== {script.stem}", flush=True)
        if subprocess.run([sys.executable, "-m", "tests.bench", "--here", str(script)], check=False).returncode:
            failed.append(script.stem)
    print(f"{len(scripts) - len(failed)} of {len(scripts)} measured; figures in {OUT}/", *failed)
    return 1 if failed or not scripts else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        run_here(Path(sys.argv[2]))
    else:
        sys.exit(main(sys.argv[1:]))
