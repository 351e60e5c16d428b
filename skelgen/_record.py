"""Named tuples whose fields are annotated, for what every process imports.

To a type checker, and from Python 3.14 on, ``Record`` is ``typing.NamedTuple``. Importing
``typing`` takes a fifth of the time until a skeleton is open, so that until then a class
body is handed to ``collections.namedtuple``, which ``NamedTuple`` does too.
"""

import sys

__all__ = ("Record",)

TYPE_CHECKING = False
if TYPE_CHECKING or sys.version_info >= (3, 14):  # annotations are no longer a dict
    from typing import NamedTuple as Record
else:
    from collections import namedtuple

    class _RecordType(type):
        """Makes a named tuple of a class body."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = tuple(body.pop("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with")
            made = namedtuple(name, fields, defaults=defaults.values())
            for key, value in body.items():
                setattr(made, key, value)
            if bases[1:]:
                made.__bases__ = (tuple, *bases[1:])
            return made

    class Record(metaclass=_RecordType):
        """Base of a named tuple: the annotations of the class body are its fields."""
