"""`cardintake label`: the label camera's recorder of a station folder (started by the station)."""

from app.recorder.label import add_arguments, run

__all__ = ["add_arguments", "run"]
