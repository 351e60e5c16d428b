"""C values as Python values."""
