"""Admission over HTTP: the fast lane with everything on, against servers that do nothing."""
