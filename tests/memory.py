"""How much memory this process took at most since it was last asked to forget.

`ru_maxrss` will not do: a child inherits it from the process that started it, and so tells how large the test run is.
"""

from __future__ import annotations

from pathlib import Path


def forget_peak_kib() -> int:
    """Let the peak begin anew; what is taken now (KiB). Linux only."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_kib()


def peak_kib() -> int:
    """The most that was resident since then (KiB). Linux only."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
