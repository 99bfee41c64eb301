"""The one line of revisions of the centre database, and how Alembic runs them."""
