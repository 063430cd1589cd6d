"""`manage.py check` finds a wrong QUEUEING setting before anything runs on it."""
