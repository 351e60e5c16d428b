"""A BPF object: opened, changed, loaded, attached, destroyed."""
