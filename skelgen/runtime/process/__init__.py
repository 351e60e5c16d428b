"""This process: its forks, and what is worked out once in it."""
