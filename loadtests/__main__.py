"""`python -m loadtests`, which is `make spike`."""

import sys

from loadtests.spike import main

if __name__ == "__main__":
    sys.exit(main())
