"""The C compiler, and what it compiles for."""
