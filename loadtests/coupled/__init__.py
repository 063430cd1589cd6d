"""The shop of the seeds before it had a queue: an order is three calls in turn, and the buyer waits for all of them.

    order ► inventory 200 ms ► payment 500 ms ► logistics 300 ms ► "you have it"

Each part is a process of its own with a store of its own on disk. The shop's handler has a pool of threads, as a usual
Django behind gunicorn has, and each call has a time-out.
"""
