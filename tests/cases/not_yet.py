"""Rows of the list of cases that have no folder: those that other tests prove, and those that cannot be decided yet."""

ELSEWHERE: dict[str, str] = {}
NOT_YET: dict[str, str] = {}
