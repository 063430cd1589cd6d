"""The database as Django's ENGINE: PostgreSQL, with a pool that gets over a restart."""
