"""`cardintake eye`: the eye program of a station folder (started by the station)."""

from app.eye.run import run
from app.living import add_arguments

__all__ = ["add_arguments", "run"]
