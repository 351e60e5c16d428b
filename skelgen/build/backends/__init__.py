"""Build back ends: one file each."""
