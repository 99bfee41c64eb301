"""`cardintake recorder`: the recorder program of a station folder (started by the station)."""

from app.living import add_arguments
from app.recorder.run import run

__all__ = ["add_arguments", "run"]
