"""`cardintake label`: the label camera's recorder of a station folder (started by the station)."""

from app.living import add_arguments
from app.recorder.label import run

__all__ = ["add_arguments", "run"]
