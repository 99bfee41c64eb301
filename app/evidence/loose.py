"""The name of the key file of a recording that stands alone, as a rehearsal; verification knows it by this name."""

KEY_FILE = "rehearsal.key"
"""Whoever has the folder has the keys: such a recording proves nothing, and its genesis says that it is a rehearsal."""
