"""What generated modules import: the loader, in the standard library alone."""
