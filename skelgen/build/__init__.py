"""Skeletons as a build step: the one entry for the CLI and the build hooks."""
