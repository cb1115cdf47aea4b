"""sbomgate.values: a class made by it is what the standard library makes, but for the time that making it takes."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sbomgate import values


def made(dataclass: Any) -> type[Any]:
    """Return the same class, made by one or the other."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Sample:
        """What is compared."""

        name: str
        set_name: int | None = None
        texts: Mapping[str, str] = dataclasses.field(default_factory=dict)
        missing: tuple[str, ...] = ()

        @property
        def first(self) -> str:
            return self.name[:1]

    return Sample


STANDARD, OURS = made(dataclasses.dataclass), made(values.dataclass)


def one(cls: type[Any]) -> Any:
    return cls(name="a", set_name=1, texts={"x": "y"}, missing=("z",))


def refusal(act: Callable[[], object]) -> tuple[type[BaseException], str]:
    """Return what is raised, and its words."""
    with pytest.raises((TypeError, AttributeError)) as refused:
        act()
    return refused.type, str(refused.value)


SAME: dict[str, Callable[[type[Any]], object]] = {
    "repr": lambda cls: repr(one(cls)),
    "doc": lambda cls: cls.__doc__,
    "slots": lambda cls: (cls.__slots__, hasattr(one(cls), "__dict__")),
    "match_args": lambda cls: cls.__match_args__,
    "params": lambda cls: repr(cls.__dataclass_params__),
    "defaults": lambda cls: repr(cls(name="b")),
    "a_factory_makes_a_new_one": lambda cls: cls(name="b").texts is cls(name="b").texts,
    "property": lambda cls: one(cls).first,
    "equal": lambda cls: (one(cls) == one(cls), one(cls) != cls(name="a"), one(cls) == ("a", 1, {"x": "y"}, ("z",))),
    "hash": lambda cls: hash(cls(name="a", texts=())) == hash(cls(name="a", texts=())),
    "hash_is_that_of_the_fields": lambda cls: hash(cls(name="a", texts=())) == hash(("a", None, (), ())),
    "no_hash_of_a_mapping": lambda cls: refusal(lambda: hash(one(cls))),
    "fields": lambda cls: [(f.name, f.type, f.default, f.kw_only) for f in dataclasses.fields(cls)],
    "replace": lambda cls: repr(dataclasses.replace(one(cls), name="c")),
    "replace_of_nothing": lambda cls: refusal(lambda: dataclasses.replace(one(cls), other="c")),
    "asdict": lambda cls: dataclasses.asdict(one(cls)),
    "set": lambda cls: refusal(lambda: setattr(one(cls), "name", "c")),
    "delete": lambda cls: refusal(lambda: delattr(one(cls), "name")),
    "missing": lambda cls: refusal(cls),
    "unknown": lambda cls: refusal(lambda: cls(name="a", other=1)),
    "by_position": lambda cls: refusal(lambda: cls("a")),
    "parameters": lambda cls: list(inspect.signature(cls).parameters),
    "hints": lambda cls: typing.get_type_hints(cls.__init__),
    "copy": lambda cls: (copy.copy(one(cls)) == one(cls), copy.deepcopy(one(cls)) == one(cls)),
}


@pytest.mark.parametrize("look", SAME.values(), ids=SAME)
def test_the_same(look: Callable[[type[Any]], object]) -> None:
    assert look(OURS) == look(STANDARD)


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """One field."""

    only: str


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """None."""


def test_few_fields() -> None:
    assert (repr(Single(only="a")), repr(Empty())) == ("Single(only='a')", "Empty()")
    assert Single(only="a") == Single(only="a") != Single(only="b")
    assert (hash(Single(only="a")), hash(Empty())) == (hash(("a",)), hash(()))
    assert Empty() == Empty()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled(protocol: int) -> None:
    """Values go from one process to another."""
    assert pickle.loads(pickle.dumps(Single(only="a"), protocol)) == Single(only="a")


def test_what_asks_for_more_is_made_by_the_standard_library() -> None:
    @values.dataclass(frozen=True, slots=True, kw_only=True, order=True)
    class Ordered:
        name: str

    @values.dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        name: str
        length: int = dataclasses.field(init=False)
        secret: str = dataclasses.field(default="", repr=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "length", len(self.name))

    @values.dataclass(slots=True)
    class Open:
        name: str

    @values.dataclass(frozen=True, slots=True, kw_only=True)
    class Below(Single):
        more: str

    assert Ordered(name="a") < Ordered(name="b")
    assert repr(Checked(name="abc", secret="x")).endswith("Checked(name='abc', length=3)")
    assert Checked(name="a", secret="x") == Checked(name="a")
    opened = Open("a")
    opened.name = "b"
    assert opened.name == "b"
    assert Below(only="a", more="b") == Below(only="a", more="b")
    assert refusal(lambda: setattr(Below(only="a", more="b"), "only", "c"))[0] is dataclasses.FrozenInstanceError
