"""New maps for a map of maps, after its template."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.model import map_types
from skelgen.plain import plain
from skelgen.runtime.errors import StateError
from skelgen.runtime.maps import create, request
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.values.codec import U32, checked

if TYPE_CHECKING:
    from skelgen.runtime.maps.settings import InnerMap


def create_inner(outer: MapHandle, max_entries: int | None) -> MapHandle:
    """Return the handle of a new map after the template of a map of maps."""
    what = outer.what
    if not map_types.row(outer.type).of_maps:
        raise TypeError(f"{what}: is no map of maps, so it has no inner maps")
    inner: InnerMap | None = outer.inner
    if inner is None:
        raise StateError(
            f"{what}: has no template of its inner maps; declare one in C with"
            f" __array(values, ...), or set maps.{plain(outer.name)}.inner before load()"
        )
    if max_entries is not None:
        checked(U32, max_entries, f"{what}: create_inner(): max_entries")
    wanted = request.inner_request(inner, outer.name, max_entries=max_entries)
    fd = create.create(wanted, inner.what)
    spec = inner.now()._replace(
        name=wanted.declared, max_entries=wanted.max_entries, flags=wanted.flags
    )
    made = MapHandle(spec)
    made.alone = True
    made.adopt(fd)
    return made
