"""`cardintake leaks`: reads one recording for PINs as a thief would (started by an idle station)."""

from app.eye.leaks import add_arguments, run

__all__ = ["add_arguments", "run"]
