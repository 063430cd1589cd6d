"""Every Redis key the queue uses, with its type. All keys of one partition share a hash tag: one script reaches them.

    q:topics                          set     names of topics that have a partition
    q:partitions:<topic>              set     partition names of a topic
    q:layout:<topic>                  hash    first (partitions it began with), partitions (that it was told to have)
    q:beats:<group>                   hash    consumer → beat counter (liveness; only its *change* means anything)
    q:seen:<group>                    hash    consumer → Redis's clock at its last beat, ms (for display)
    q:about:<group>                   hash    consumer → what it said of itself with that beat (JSON, queueing/about.py)
    q:paused                          set     groups that read nothing for now
    q:tide                            string  counter, raised after each batch the relay tells (queueing/tide.py)
    q:start:<group>                   hash    topic → when a group that starts "now" first said so, ms (Redis's clock)
    q:rate:<group>                    hash    debt (µs; negative: saved up), at (Redis's clock, µs), rate (messages/s)
                                              then: of the group's cap
    q:rate:<group>:<topic>            hash    the same, of the cap that one topic has in this group
    q:caps:<group>                    hash    topic ('': the whole group) → messages/s or "off", set by an operator
    q:{scale}:group:<group>           hash    serial (raised by each change), desired, direction, acked (a second,
                                              before it), kind (of the last decision), told:<kind> (when it was last
                                              told, ms), hold (JSON), drain:<consumer> (until, ms)
    q:{scale}:supervisors             hash    supervisor → its last beat (JSON, queueing/autoscaler/records.py)
    q:{scale}:events                  list    decisions (JSON) on their way to PostgreSQL
    q:{faults}:<kind>[:<group>]       string  a fault that acts (JSON, queueing/faults/fault.py); expires at its end
    q:{faults}:did:<fault id>         hash    what it has done → how often; expires
    q:{<topic>:<p>}:log               stream  entries: id, n(ame), v(ersion), k(ey), at (ms), b(ody), h(eaders), d(ue)
    q:{<topic>:<p>}:meta              hash    appended, trimmed; of delayed messages: scheduled, promoted, cancelled,
                                              moved (came less left). generation; "switch:<generation>" → the last
                                              offset before it was split; while delayed ones move: splitting (the
                                              generation they move for) or arriving, and sorted (due, ms: those up
                                              to it have moved); noted (the second of the last record in series)
    q:{<topic>:<p>}:series            string  ring of 3,600 records: second, appended (lua/series.lua)
    q:{<topic>:<p>}:later             zset    message id → due, ms (Redis's clock): delayed, not in the log yet
    q:{<topic>:<p>}:drafts            hash    message id → envelope (JSON) and "<message id>:b" → body, of all in later
    q:{<topic>:<p>}:later:leaving     hash    the same and "<message id>:d" → due, of those on their way to where their
                                              key moved
    q:{<topic>:<p>}:later:arrived     set     message ids that came in this way, while arriving
    q:{<topic>:<p>}:<group>           hash    skipped, acked, done, purged, retried, buried, parkings;
                                              from (the offset after which it began); noted (as in meta);
                                              moved (came less left), replays; open (1: it may read this partition,
                                              which was split from another), round (how often it was shut again);
                                              leavings (how many ever left in this way)
    q:{<topic>:<p>}:<group>:series    string  ring of 3,600 records: second, acked, skipped, retried, buried
    q:{<topic>:<p>}:<group>:retry     zset    message id → due, ms (Redis's clock)
    q:{<topic>:<p>}:<group>:holders   hash    message id → consumer that works on this retried message now
    q:{<topic>:<p>}:<group>:waiting   hash    message id → envelope and history (JSON), of all in retry, holders
                                              and parked; "<message id>:n" → attempts begun, ":s" → sequence
    q:{<topic>:<p>}:<group>:lease     hash    owner ('': nobody), epoch, n (ordered mode: who may read and settle)
    q:{<topic>:<p>}:<group>:heads     hash    blocked key → id of the message it waits for (ordered mode)
    q:{<topic>:<p>}:<group>:parked    zset    followers of blocked keys, all of score 0:
                                              "<bytes of key>:<key>:<sequence>:<message id>" (lua/parking.lua)
    q:{<topic>:<p>}:<group>:dead      zset    message id → buried at, ms
    q:{<topic>:<p>}:<group>:graves    hash    message id → envelope, reason and history (JSON)
    q:{<topic>:<p>}:<group>:quarantined  set  ids of the dead that were replayed as often as they may be
    q:{<topic>:<p>}:<group>:purged    zset    message id → when it was last purged, ms: what an operator had forgotten
    q:{<topic>:<p>}:<group>:leaving   hash    message id → all that the others say of it (JSON), of those on their way
                                              to where their key moved
    q:{<topic>:<p>}:<group>:arrived   set     numbers of the leavings that came, while the group may not read here yet

Always, per partition: appended = entries in the log + trimmed, and
scheduled + moved = promoted + cancelled + |later| + |later:leaving|;
per partition and group: appended = skipped + acked + pending + undelivered, and
acked + moved = done + |retry| + |holders| + |parked| + |dead| + |leaving| + purged. `manage.py audit` counts both
sides.
"""

from __future__ import annotations

TOPICS = "q:topics"
PAUSED = "q:paused"
TIDE = "q:tide"
SCALERS = "q:{scale}:supervisors"
SCALE_EVENTS = "q:{scale}:events"


def partitions(topic: str) -> str:
    return f"q:partitions:{topic}"


def layout(topic: str) -> str:
    return f"q:layout:{topic}"


def beats(group: str) -> str:
    return f"q:beats:{group}"


def seen(group: str) -> str:
    return f"q:seen:{group}"


def about(group: str) -> str:
    return f"q:about:{group}"


def start(group: str) -> str:
    return f"q:start:{group}"


def rate(group: str, topic: str = "") -> str:
    return f"q:rate:{group}:{topic}" if topic else f"q:rate:{group}"


def caps(group: str) -> str:
    return f"q:caps:{group}"


def scale(group: str) -> str:
    return f"q:{{scale}}:group:{group}"


def fault(kind: str, group: str = "") -> str:
    """One hash tag for all of them: a consumer reads its own in one command."""
    return f"q:{{faults}}:{kind}:{group}" if group else f"q:{{faults}}:{kind}"


def fault_did(fault_id: str) -> str:
    return f"q:{{faults}}:did:{fault_id}"


def tag(topic: str, partition: str) -> str:
    """The hash tag of a partition. What must change together with its log carries the same tag."""
    return f"{{{topic}:{partition}}}"


def log(topic: str, partition: str) -> str:
    return f"q:{tag(topic, partition)}:log"


def meta(topic: str, partition: str) -> str:
    return f"q:{tag(topic, partition)}:meta"


def log_series(topic: str, partition: str) -> str:
    return f"q:{tag(topic, partition)}:series"


def later(topic: str, partition: str) -> str:
    return f"q:{tag(topic, partition)}:later"


def drafts(topic: str, partition: str) -> str:
    return f"q:{tag(topic, partition)}:drafts"


def later_leaving(topic: str, partition: str) -> str:
    return f"{later(topic, partition)}:leaving"


def later_arrived(topic: str, partition: str) -> str:
    return f"{later(topic, partition)}:arrived"


def counters(topic: str, partition: str, group: str) -> str:
    return f"q:{tag(topic, partition)}:{group}"


def series(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:series"


def retry(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:retry"


def holders(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:holders"


def waiting(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:waiting"


def lease(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:lease"


def heads(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:heads"


def parked(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:parked"


def parked_id(member: bytes) -> str:
    """The message id in a member of `parked`."""
    size, _, rest = member.partition(b":")
    return rest[int(size) + 18 :].decode()


def dead(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:dead"


def quarantined(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:quarantined"


def purged(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:purged"


def graves(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:graves"


def leaving(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:leaving"


def arrived(topic: str, partition: str, group: str) -> str:
    return f"{counters(topic, partition, group)}:arrived"
