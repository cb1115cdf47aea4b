"""Real parts, small: what tests, the demo and the benchmarks share. Not shipped in the wheel."""
