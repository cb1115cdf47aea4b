"""`python -m sbomgate`."""

import os
import sys

# Only modules that Python has loaded already are used before this is done: with -m the working directory comes first,
# and a module of the tree under test would run with the gate's rights. (Python itself and this package are looked for
# before; where that matters use the `sbomgate` command, or `python -P -m sbomgate`.)
_here = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
if not sys.flags.safe_path and sys.path[0] == os.getcwd() != _here:  # noqa: PTH109
    del sys.path[0]

from sbomgate.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
