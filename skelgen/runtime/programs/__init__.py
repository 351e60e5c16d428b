"""Programs: one file a family."""
