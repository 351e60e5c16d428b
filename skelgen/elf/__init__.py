"""From a compiled object to an ``ObjectSpec``."""
