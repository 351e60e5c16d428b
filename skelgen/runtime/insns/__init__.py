"""Instructions of a program."""
