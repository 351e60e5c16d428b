"""Named tuples whose fields are annotated, for what every process imports.

To a type checker ``Record`` is ``typing.NamedTuple``. Importing ``typing`` takes a fifth
of the time until a skeleton is open, so that a class body is handed to
``collections.namedtuple`` here, which ``NamedTuple`` does too.
"""

__all__ = ("Record",)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as Record
else:
    from collections import namedtuple

    def _annotations(body):
        """Take what annotations left in a class body, and return them."""
        body.pop("__classdictcell__", None)
        # from Python 3.14 on a function has them, unless a __future__ says otherwise
        evaluate = body.pop("__annotate_func__", None)
        return evaluate(1) if evaluate else body.pop("__annotations__", {})

    class _RecordType(type):
        """Makes a named tuple of a class body."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = tuple(_annotations(body))
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
