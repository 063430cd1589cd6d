"""The operator's page for a terminal: `manage.py top`."""
