"""`dataclass(frozen=True, slots=True, kw_only=True)` as everywhere else here, made in a quarter of the time.

The standard one compiles six functions for each class, most of which are never called: for the 150 classes that `check`
imports this was a tenth of its time. Here only `__init__` is compiled, which also sets fields in two thirds of the
time; the others are made of what the fields are called. Everything else (`fields`, `replace`, `asdict`, defaults,
slots, pickling, messages) is the standard one's, and a class that asks for anything else is made by it altogether.

For a type checker the two are one and the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    import sys
    from operator import attrgetter

    _ASKED = {"frozen": True, "slots": True, "kw_only": True}
    _OWN = frozenset(
        f"__{name}__"
        for name in ("init", "post_init", "repr", "eq", "hash", "setattr", "delattr", "getstate", "setstate")
    )

    def dataclass(cls=None, /, **asked):
        """Return `dataclasses.dataclass(…)`, or for what is asked for throughout what does the same and costs less."""
        return _value if cls is None and asked == _ASKED else dataclasses.dataclass(cls, **asked)

    def _value(cls):
        if cls.__bases__ != (object,) or not _OWN.isdisjoint(cls.__dict__) or not _is_plain(cls):
            return dataclasses.dataclass(**_ASKED)(cls)
        cls.__doc__ = cls.__doc__ or cls.__name__  # or the standard one makes the text of a signature
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=True)(cls)
        fields = made.__dataclass_fields__
        made.__init__ = _init(made, fields.values())
        get = attrgetter(*fields) if len(fields) > 1 else lambda self: tuple(getattr(self, name) for name in fields)

        def __eq__(self, other):
            return get(self) == get(other) if other.__class__ is self.__class__ else NotImplemented

        def __hash__(self):
            return hash(get(self))

        made.__eq__, made.__hash__ = __eq__, __hash__
        made.__repr__, made.__setattr__, made.__delattr__ = _repr, _set, _delete
        made.__getstate__, made.__setstate__ = _state, _restore
        stated = made.__dataclass_params__
        stated.init = stated.repr = stated.eq = stated.frozen = True
        return made

    def _is_plain(cls):
        """Whether no field asks for more than a default, and none is an `InitVar` or a `ClassVar`."""
        for name, type_ in cls.__annotations__.items():
            if not isinstance(type_, str) or "InitVar" in type_ or "ClassVar" in type_ or "KW_ONLY" in type_:
                return False
            field = cls.__dict__.get(name)
            if isinstance(field, dataclasses.Field) and not (
                field.init and field.repr and field.compare and field.hash is None and not field.metadata
            ):
                return False
        return True

    def _init(cls, fields):
        """Compile `__init__`: it sets each slot by its own descriptor, which no `__setattr__` stands before."""
        known = {"__missing__": dataclasses.MISSING}
        asked, body = [], []
        for field in fields:
            name = field.name
            known[f"__set_{name}__"] = cls.__dict__[name].__set__
            value = name
            if field.default is not dataclasses.MISSING:
                known[f"__default_{name}__"] = field.default
                asked.append(f"{name}=__default_{name}__")
            elif field.default_factory is not dataclasses.MISSING:
                known[f"__make_{name}__"] = field.default_factory
                asked.append(f"{name}=__missing__")
                value = f"__make_{name}__() if {name} is __missing__ else {name}"
            else:
                asked.append(name)
            body.append(f"  __set_{name}__(self, {value})")
        text = f"def make({', '.join(known)}):\n def __init__(self{', *, ' if asked else ''}{', '.join(asked)}):\n"
        text += "\n".join(body or ["  pass"]) + "\n return __init__"
        scope = {}
        exec(text, sys.modules[cls.__module__].__dict__, scope)  # noqa: S102 - of names that are Python's own
        init = scope["make"](**known)
        init.__qualname__ = f"{cls.__qualname__}.__init__"
        init.__annotations__ = {**{field.name: field.type for field in fields}, "return": None}
        return init

    def _repr(self):
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
        return f"{self.__class__.__qualname__}({shown})"

    def _set(self, name, value):  # noqa: ARG001 - what it would be set to is nobody's matter
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def _delete(self, name):  # noqa: ARG001
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def _state(self):
        return [getattr(self, name) for name in self.__dataclass_fields__]

    def _restore(self, state):
        for name, value in zip(self.__dataclass_fields__, state, strict=True):
            object.__setattr__(self, name, value)
