"""Work for several processes, in a module that they can import."""

from __future__ import annotations

import os
import signal

from sbomgate.errors import PolicyError


class Doubler:
    """Doubles numbers; some it refuses, one it dies of."""

    def __init__(self, refuses: int = -1, dies: int = -1) -> None:
        self._refuses = refuses
        self._dies = dies

    def __call__(self, number: int) -> int:
        """Return twice the number."""
        if number == self._refuses:
            raise PolicyError("not this one", where="here", hint="another")
        if number == self._dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number
