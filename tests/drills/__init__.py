"""Fault drills: real processes, killed by real signals, while buyers buy; then the audit has the last word."""
