"""Named tuples that are quick to define, for what every process imports.

To a type checker, and from Python 3.14 on, ``Record`` is ``typing.NamedTuple``. That
takes 80 us a class, most of it to compile a constructor, and importing ``typing`` as
much as a hundred of them; a skeleton needs seventy before its program is loaded.
Here a constructor is compiled once for each number of fields, and gets the names of
the fields as the names of its parameters.
"""

import sys

__all__ = ("Record",)

TYPE_CHECKING = False
if TYPE_CHECKING or sys.version_info >= (3, 14):  # annotations are no longer a dict
    from typing import NamedTuple as Record
else:
    from _collections import _tuplegetter
    from types import FunctionType

    _CONSTRUCTOR = "def __new__(_cls{names}): return _new(_cls, ({values}))"
    _GLOBALS = {"_new": tuple.__new__, "__name__": __name__}
    _codes = {}

    def _constructor(fields, defaults):
        """Return ``__new__`` with these parameters."""
        code = _codes.get(len(fields))
        if code is None:
            names = "".join(f", _{index}" for index in range(len(fields)))
            made = {}
            values = names[2:] + "," if names else ""
            constructor = _CONSTRUCTOR.format(names=names, values=values)
            exec(constructor, _GLOBALS, made)  # noqa: S102 - the text is this file's
            code = _codes[len(fields)] = made["__new__"].__code__
        code = code.replace(co_varnames=("_cls", *fields))
        return FunctionType(code, _GLOBALS, "__new__", defaults)

    class _RecordType(type):
        """Turns the annotations of a class body into the fields of a tuple."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with")
            body["__slots__"] = ()
            body["__match_args__"] = body["_fields"] = fields
            body["_field_defaults"] = defaults
            body["__new__"] = _constructor(fields, tuple(defaults.values()))
            for index, field in enumerate(fields):
                body[field] = _tuplegetter(index, None)
            return type(name, (_Methods, *bases[1:]), body)

    class _Methods(tuple):
        """What every named tuple can do."""

        __slots__ = ()

        @classmethod
        def _make(cls, values):
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(
                    f"{cls.__name__}: {len(cls._fields)} values are wanted, not"
                    f" {len(made)}"
                )
            return made

        def _replace(self, /, **values):
            made = self._make(map(values.pop, self._fields, self))
            if values:
                raise ValueError(f"{type(self).__name__} has no {list(values)}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            fields = zip(self._fields, self, strict=True)
            inner = ", ".join(f"{name}={value!r}" for name, value in fields)
            return f"{type(self).__name__}({inner})"

        def __getnewargs__(self):
            return tuple(self)

    class Record(metaclass=_RecordType):
        """Base of a named tuple: the annotations of the class body are its fields."""
