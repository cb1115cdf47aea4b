"""`python -m sbomgate`."""

import sys

from sbomgate.cli import main

if __name__ == "__main__":
    sys.exit(main())
