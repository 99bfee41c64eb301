"""Seeing: arrays in, small data out. No threads, no files but the models, no clock. Its rooms: `docs/reading.md`."""
