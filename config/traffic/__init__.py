"""How many requests came, and what became of them, second by second.

Counting is an addition in the process that answers (door.py, orders/tallies.py), and what nginx says of itself
(gateway.py). Once a second each web process writes what was added (flushing.py), and any process may read the sums of
all (reading.py). docs/funnel.md says what each number is and is not.
"""
