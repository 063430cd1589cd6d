"""The admission script as fast as Redis runs it: EVALSHA of 128 members each, packed before the clock starts."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import hiredis

from inventory.batching import MOST_MEMBERS, head, key_names
from inventory.script import script
from queueing.message import new_id

IN_FLIGHT = 2


def bare(redis_url: str, number: int, sale: int) -> float:
    """Members per second, over one socket that always has the next script waiting, as redis-benchmark would do it."""
    names, admit = key_names(sale), script("admit")
    commands = []
    for start in range(1, number + 1, MOST_MEMBERS):
        arguments = head(sale)
        for user in range(start, min(start + MOST_MEMBERS, number + 1)):
            arguments += [user, f"key-of-{user}", 1, new_id(), new_id(), "", ""]
        commands.append(hiredis.pack_command(("EVALSHA", admit.sha, len(names), *names, *arguments)))
    commands.reverse()
    url = urlsplit(redis_url)
    with socket.create_connection((url.hostname or "127.0.0.1", url.port or 6379), timeout=10) as line:
        reader, left = hiredis.Reader(), len(commands)
        line.sendall(hiredis.pack_command(("SCRIPT", "LOAD", admit.text)))
        reader.feed(line.recv(1 << 16))
        assert reader.gets() == admit.sha.encode()
        started = time.perf_counter()
        for _ in range(min(IN_FLIGHT, left)):
            line.sendall(commands.pop())
        while left:
            reader.feed(line.recv(1 << 20))
            while (reply := reader.gets()) is not False:
                assert reply[-1][0] == b"admitted", reply
                left -= 1
                if commands:
                    line.sendall(commands.pop())
        return number / (time.perf_counter() - started)
