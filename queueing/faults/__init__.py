"""Bad weather on demand: each fault acts on a running consumer or provider, and ends by itself.

A fault is one key of Redis that expires. Whoever it concerns looks at it twice a second, in one command of three keys a
consumer; nothing else is there when none is set. Who makes weather is `store`; who suffers it:

pacing      each consumer of a group handles so many messages a second
database    all consumers' transactions wait for one budget, inside the transaction
freezing    one consumer process stops itself (SIGSTOP); a child of its own lets it go on (SIGCONT)
lifting     a group's caps do not hold (queueing/brokers/redis_streams/capping.py)
outside     what a provider asks before it answers: payments/demo_bank/weather.py, notifications/demo_weather.py

A house that is no demonstration never looks: settings.FAULT_ROOM.
"""
