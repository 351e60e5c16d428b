"""From an ``ObjectSpec`` to the text of a typed Python module."""
