"""Public names of a package, each imported when it is first used."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def public_names(
    package: str, homes: "Mapping[str, str]"
) -> "tuple[Callable[[str], object], Callable[[], list[str]], tuple[str, ...]]":
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    ``homes`` maps modules to the public names that they define, separated by spaces.
    """
    home_of = {name: home for home, names in homes.items() for name in names.split()}

    def get(name: str) -> object:
        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        found: object = getattr(__import__(home, fromlist=(name,)), name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home_of})

    return get, names, tuple(sorted(home_of))
