"""Which line is which field, where it stands on the card, and what is read there."""
