"""Every state that a shopper can see, in the shop's own templates, with made-up facts instead of a shopper's.

Nothing is asked and nothing can be placed: the templates' tags are replaced by ones that hand out samples (widgets.py),
forms carry no CSRF token, and the answer's content security policy forbids to send any or to run a script (views.py).
"""
