"""Training of the networks that read cards; needs PyTorch, which the product itself does not."""

import sys
from importlib.util import find_spec

_BY_TORCH = {f"training.{name}" for name in ("recogniser", "opening", "panel", "torn", "twins")}

# Only where one of them is the program: whoever imports it sees the ImportError.
if sys.argv[:1] == ["-m"] and _BY_TORCH & set(sys.orig_argv) and find_spec("torch") is None:
    sys.exit("Training needs PyTorch: pip install torch==2.13.0 onnx (docs/recogniser.md says how it goes on).")
