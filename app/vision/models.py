"""Models as they are run, by OpenVINO: the two text models (PP-OCRv6 detector and recogniser, Apache-2.0) from the
rapidocr wheel, and our own. A damaged one is told.

Only files are read, never the network. Threads are bounded by the caller.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from app.core.errors import BadInput

DETECTOR = "PP-OCRv6_det_small.onnx"
RECOGNISER = "PP-OCRv6_rec_small.onnx"
_SHA256 = {
    DETECTOR: "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    RECOGNISER: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
}
"""The files of rapidocr 3.10.0; others may be damaged or may read otherwise than was measured."""

CHECKSUMS = "SHA256SUMS"
"""The list beside our own models."""

_SUM = re.compile(rb"[0-9a-f]{64}")
_HEAD = ("Softmax", "Identity", "Add", "MatMul")


def models_folder() -> Path:
    """Where the models lie: the `models` folder of the installed rapidocr package (which is not imported)."""
    spec = find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput("reading.model_missing", "rapidocr is not installed")
    return Path(spec.submodule_search_locations[0]) / "models"


def load_model(path: Path) -> Any:
    """A model as OpenVINO reads it. Raises BadInput: reading.model_missing, reading.model_damaged."""
    if not path.is_file():
        raise BadInput("reading.model_missing", path.name)
    try:
        wanted = _SHA256.get(path.name)
        found = hashlib.sha256(path.read_bytes()).hexdigest() if wanted else None
    except OSError as error:
        raise BadInput("reading.model_missing", path.name) from error
    if wanted != found:
        raise BadInput("reading.model_damaged", path.name)
    try:
        return openvino.Core().read_model(str(path))
    except RuntimeError as error:
        raise BadInput("reading.model_damaged", f"{path.name}: unreadable") from error


def check_sum(path: Path) -> None:
    """Holds a model against the list in its folder. Raises BadInput: reading.model_missing, reading.model_damaged; each
    names the file, which may be the list.
    """
    listed = _model_bytes(path.parent / CHECKSUMS).split()
    found = hashlib.sha256(_model_bytes(path)).hexdigest()
    wanted = dict(zip(listed[1::2], listed[::2], strict=False)).get(path.name.encode())
    if wanted is None or not _SUM.fullmatch(wanted):
        raise BadInput("reading.model_damaged", f"{CHECKSUMS}: no checksum of {path.name}")
    if wanted != found.encode():
        raise BadInput("reading.model_damaged", path.name)


def _model_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput("reading.model_missing", path.name) from error


def narrow_head(model: Any, columns: Sequence[int]) -> None:
    """Leave a classifier (its last layers: product, bias, softmax) only these of its answers, in this order.

    Raises BadInput("reading.model_missing") for a model that does not end so.
    """
    node = model.get_results()[0].input_value(0).get_node()
    chosen, axis = ops.constant(np.array(columns, np.int64)), ops.constant(np.int64(-1))
    cut = 0
    while cut < 2 and node.get_type_name() in _HEAD:
        feeds = [source.get_source_output() for source in node.inputs()]
        constant = next((f for f in feeds[1:] if f.get_node().get_type_name() == "Constant"), None)
        if constant is not None:
            place = next(source for source in node.inputs() if source.get_source_output() == constant)
            place.replace_source_output(ops.gather(constant, chosen, axis).output(0))
            cut += 1
        node = feeds[0].get_node()
    if cut != 2:
        raise BadInput("reading.model_missing", "the recogniser is not the one expected")
    model.validate_nodes_and_infer_types()


def compile_model(model: Any, threads: int, exact: bool = False, shape: Sequence[int] = ()) -> Any:
    """The model ready to run on `threads` processor threads.

    Where the processor multiplies 16-bit floats itself, they are used: 1.6 times as fast. `exact`: never. `shape`: the
    only one its input has, for another seventh; the model given keeps this shape.
    """
    if shape:
        model.reshape(list(shape))
    core = openvino.Core()
    halves = not exact and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if halves else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # else each process's one thread sits on the same core, whatever others are free
    }
    return core.compile_model(model, "CPU", options)
