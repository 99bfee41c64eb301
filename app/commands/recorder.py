"""`cardintake recorder`: the recorder program of a station folder (started by the station)."""

from app.recorder.run import add_arguments, run

__all__ = ["add_arguments", "run"]
