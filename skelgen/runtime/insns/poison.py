"""Helpers that do not exist: calls of them stand in for what is missing.

The verifier refuses such a call where the program can reach it, and its number tells what
was missing.
"""

POISON = 0xBAD2310
"""195896080, "bad relo": what a failed CO-RE relocation calls, as in libbpf."""
POISON_MAP = 2001000000
"""The helper number that a reference to a missing map calls, plus the map's index."""
POISON_KFUNC = 2002000000
"""The helper number that a call of a missing kernel function calls, plus the extern's index."""
