"""The hallway: one inbox, one thread; calls `core.session.step` and carries out the effects."""
