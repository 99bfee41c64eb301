"""`cardintake lesson`: the program that learns a product from photographs (see `app.eye.lessons`)."""

from app.eye.lessons import add_arguments, run

__all__ = ["add_arguments", "run"]
