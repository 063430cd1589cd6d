"""`python -m loadtests spike` is `make spike`, and so on."""

import sys
from importlib import import_module

# Each is imported when it is run: the show needs a browser, which the others do without.
RUNS = {"spike": "spike_run", "drain": "drain", "compare": "compare", "shoppers": "journey", "show": "show"}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in RUNS:
        sys.exit(f"usage: python -m loadtests {{{','.join(RUNS)}}} [--help]")
    sys.exit(import_module(f"loadtests.{RUNS[sys.argv[1]]}").main(sys.argv[2:]))
