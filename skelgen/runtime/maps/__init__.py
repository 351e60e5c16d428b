"""Maps: one file a family."""
