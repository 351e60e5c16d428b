"""The public names of the loader, for generated modules and its users.

``from skelgen import runtime as rt``: nearly every name is loaded when it is first
used, so that a program pays for the families of maps, programs and links it has.
Type checkers read ``__init__.pyi``, which says the same.
"""

from skelgen._names import public_names
from skelgen.runtime.public import HOMES

__getattr__, __dir__, __all__ = public_names(__name__, HOMES)
