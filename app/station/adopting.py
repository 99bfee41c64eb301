"""Everybody at the station reads by the catalogue in force: what is told here is told to all of them, at once.

A desk's change and a catalogue that the centre published may come at the same time: they are taken up one after the
other, each as the shelf is by then, so that the last one told is the newest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.catalog.shelf import Sources, read_sources
from app.core.products import Catalogue
from app.paths import StationFolder
from app.station.shelving import station_sources
from app.store.writer import StoreWriter

Adopt = Callable[[Sources, Catalogue], None]
"""Has somebody read by this catalogue from now on."""


class Adopting:
    """The catalogue of one station as everybody at it has to know it. Any thread may ask for it to be taken up."""

    def __init__(self, store: StoreWriter, folder: StationFolder) -> None:
        self._store, self._folder = store, folder
        self._readers: list[Adopt] = []
        self._one_at_a_time = threading.Lock()

    def add(self, reader: Adopt) -> None:
        """Tell this one too, of every catalogue that is taken up from now on."""
        with self._one_at_a_time:
            self._readers.append(reader)

    def take_up(self) -> None:
        """Read the shelf anew and tell everybody. Raises as `station_sources`, and then tells nobody."""
        with self._one_at_a_time:
            sources = self._store.call(lambda store: station_sources(self._folder, store))
            catalogue = read_sources(sources)
            for reader in self._readers:
                reader(sources, catalogue)
