"""`python -m loadtests spike` is `make spike`, and so on."""

import sys

from loadtests import compare, drain, journey, spike_run

RUNS = {"spike": spike_run.main, "drain": drain.main, "compare": compare.main, "shoppers": journey.main}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in RUNS:
        sys.exit(f"usage: python -m loadtests {{{','.join(RUNS)}}} [--help]")
    sys.exit(RUNS[sys.argv[1]](sys.argv[2:]))
