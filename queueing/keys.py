"""Every Redis key the queue uses, with its type. All keys of one partition share a hash tag, so one script reaches them.

    q:topics                      set     topic names
    q:partitions:<topic>          set     partition names of a topic
    q:beats:<group>               hash    consumer → beat counter (liveness)
    q:{<topic>:<p>}:log           stream  entries: id, n (name), v (version), k (key), at (ms), b (body), h (headers)
    q:{<topic>:<p>}:meta          hash    appended
    q:{<topic>:<p>}:<group>       hash    skipped, acked, and what the acked became: done, delayed, dead;
                                          of delayed: redone, reburied
    q:{<topic>:<p>}:<group>:retry   zset    message id → due or lease end, ms
    q:{<topic>:<p>}:<group>:waiting hash    message id → its envelope and history (JSON)
    q:{<topic>:<p>}:<group>:dead    zset    message id → buried at, ms
    q:{<topic>:<p>}:<group>:graves  hash    message id → its envelope, reason and history (JSON)
"""

from __future__ import annotations

TOPICS = "q:topics"


def partitions(topic: str) -> str:
    return f"q:partitions:{topic}"


def beats(group: str) -> str:
    return f"q:beats:{group}"


def tag(topic: str, partition: str) -> str:
    """The hash tag of a partition. What must change together with its log carries the same tag."""
    return f"{{{topic}:{partition}}}"


def log(topic: str, partition: str) -> str:
    return f"q:{tag(topic, partition)}:log"


def meta(topic: str, partition: str) -> str:
    return f"q:{tag(topic, partition)}:meta"


def counters(topic: str, partition: str, group: str) -> str:
    return f"q:{tag(topic, partition)}:{group}"


def retry(topic: str, partition: str, group: str) -> str:
    return f"q:{tag(topic, partition)}:{group}:retry"


def waiting(topic: str, partition: str, group: str) -> str:
    return f"q:{tag(topic, partition)}:{group}:waiting"


def dead(topic: str, partition: str, group: str) -> str:
    return f"q:{tag(topic, partition)}:{group}:dead"


def graves(topic: str, partition: str, group: str) -> str:
    return f"q:{tag(topic, partition)}:{group}:graves"
