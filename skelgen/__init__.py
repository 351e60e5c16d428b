"""Typed Python skeletons for BPF objects, and the loader under them."""

__version__ = "0.1.0"
