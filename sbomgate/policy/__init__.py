"""The policy: its input, its bundle, and the engines that evaluate it."""
