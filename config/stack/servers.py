"""Real PostgreSQL and Valkey, each as one foreground child process of whoever starts it.

`make up` and the tests use the same two classes. Both servers listen where only this machine reaches them.
"""

from config.stack.foreground import Server, ServerFailed
from config.stack.postgres import Postgres
from config.stack.valkey import Valkey

__all__ = ["Postgres", "Server", "ServerFailed", "Valkey"]
