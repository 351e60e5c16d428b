"""Jinja templates of generated modules."""
