"""What tests, demo and benchmarks share. Not part of the package."""
