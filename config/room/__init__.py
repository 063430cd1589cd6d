"""The operator's room: pages beside the queue's own that show, and steer, what only the whole house knows.

Addresses are in urls.py, and who may open them in door.py. Every page extends queueing/console/frame.html.
"""
