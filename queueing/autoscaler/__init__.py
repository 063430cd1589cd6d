"""As many consumers as the lag needs: one supervisor a machine, its consumers are its children.

limits      what a group may have, and when it grows and shrinks: declared with its subscription
policy      the latest samples → how many, and why; trend.py and history.py make the samples
brain       the same for one group from second to second, with what operators and other supervisors say
children    the consumers of one group here: started, told to leave, replaced (backoff.py)
forking     a child is a fork of the supervisor; spawning.py: or a program of its own
others      who else supervises
            ── so far plain Python; the rest knows Redis, and the last two Django ──
sampling    one look a second at all groups
register    what a supervisor says to the others and to the timeline, as records.py has it
supervisor  the loop
asking      what operators may ask of it
timeline    every decision with its reason, on its way to PostgreSQL
"""
