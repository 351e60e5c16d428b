"""The version: ``pyproject.toml`` and all that mentions one take it from here."""

__version__ = "0.1.0"
