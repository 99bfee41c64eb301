"""The names of files that lie beside a recording's own; verification knows them by these names."""

KEY_FILE = "rehearsal.key"
"""The keys of a recording that stands alone, as a rehearsal. Whoever has the folder has the keys: such a recording
proves nothing, and its genesis says that it is a rehearsal.
"""

GIVEN_LIST, GIVEN_JOURNAL = "manifest.json", "journal.sealed"
"""In a folder that the centre gave out: the station's list of the recording's chunks, and the journal, closed."""
