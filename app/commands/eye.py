"""`cardintake eye`: the eye program of a station folder (started by the station)."""

from app.eye.run import add_arguments, run

__all__ = ["add_arguments", "run"]
