"""The vault's revisions."""
