"""What can go wrong in the studio from outside: a deck or template file with a mistake, a font that is not installed.

core.errors.Trouble
  ├─ BadInput
  │    ├─ DeckError      deck.missing deck.syntax deck.key deck.value deck.product
  │    └─ TemplateError  template.missing template.syntax template.key template.value
  └─ Unavailable
       └─ FontMissing    font.missing (detail names the Debian package)
"""

from __future__ import annotations

from app.core.errors import BadInput, Unavailable


class DeckError(BadInput):
    """A deck file cannot be used; `detail` names file, key and value."""


class TemplateError(BadInput):
    """A product template file cannot be used; `detail` names file, product and key."""


class FontMissing(Unavailable):
    """A font the studio draws with is not on this machine; `detail` names the package that brings it."""
