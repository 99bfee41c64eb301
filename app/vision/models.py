"""The two text models (PP-OCRv6 detector and recogniser, Apache-2.0) from the rapidocr wheel, run by OpenVINO.

Only files are read, never the network. Threads are bounded by the caller; 32-bit floats, so that every processor
gives the same answer.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openvino

from app.core.errors import BadInput

DETECTOR = "PP-OCRv6_det_small.onnx"
RECOGNISER = "PP-OCRv6_rec_small.onnx"


def models_folder() -> Path:
    """Where the models lie: the `models` folder of the installed rapidocr package (which is not imported)."""
    spec = find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput("reading.model_missing", "rapidocr is not installed")
    return Path(spec.submodule_search_locations[0]) / "models"


def load_model(path: Path) -> Any:
    """A model as OpenVINO reads it. Raises BadInput("reading.model_missing") when it is not there or unreadable."""
    if not path.is_file():
        raise BadInput("reading.model_missing", path.name)
    try:
        return openvino.Core().read_model(str(path))
    except RuntimeError as error:
        raise BadInput("reading.model_missing", f"{path.name}: unreadable") from error


def compile_model(model: Any, threads: int) -> Any:
    """The model ready to run on `threads` processor threads."""
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    return openvino.Core().compile_model(model, "CPU", options)
