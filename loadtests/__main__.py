"""`python -m loadtests spike` is `make spike`, `python -m loadtests shoppers` is `make shoppers`."""

import sys

from loadtests import journey, spike_run

RUNS = {"spike": spike_run.main, "shoppers": journey.main}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in RUNS:
        sys.exit(f"usage: python -m loadtests {{{','.join(RUNS)}}} [--help]")
    sys.exit(RUNS[sys.argv[1]](sys.argv[2:]))
