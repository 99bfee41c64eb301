"""The one line of revisions of the station database, and how Alembic runs them."""
