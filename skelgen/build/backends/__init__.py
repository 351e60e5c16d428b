"""Build back ends that build skeletons; each has a file here, and an entry point.

The entry points are in pyproject.toml. The table says what a new project of
``skelgen init`` writes for each; it imports none of them.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Backend(NamedTuple):
    """A build back end, as a new project names it."""

    requires: str
    module: str
    settings: str
    """Its own tables in pyproject.toml, a template."""


BACKENDS: Mapping[str, Backend] = {
    "setuptools": Backend(
        "setuptools>=77",
        "setuptools.build_meta",
        '[tool.setuptools.package-data]\n$package = ["py.typed"]\n',
    ),
    "hatchling": Backend(
        "hatchling>=1.25",
        "hatchling.build",
        '[tool.hatch.build.targets.wheel]\npackages = ["src/$package"]\n\n'
        "[tool.hatch.build.hooks.skelgen]\n",
    ),
}
"""The build backends there are; the first is the default."""
