"""Ratios against the physical limit, measured in one run on one machine. `make bench` runs all of them."""
