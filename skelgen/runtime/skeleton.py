"""The bases of generated skeletons: the life of an object, and its links."""

from __future__ import annotations

from functools import cache

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import ClosedError
from skelgen.runtime.listing import Live, Namespace, check_first, part_names
from skelgen.runtime.object.life import State
from skelgen.runtime.object.object import Object
from skelgen.runtime.undo import Undo, raise_first

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType
    from typing import Final, Self

    from skelgen.model.spec import ObjectSpec
    from skelgen.runtime.links.base import Link
    from skelgen.runtime.load.report import LoadReport
    from skelgen.runtime.object.attach_report import AttachReport


class Links(Namespace):
    """Links of a skeleton, an attribute a program; ``None`` while not attached.

    A link that is put into an attribute is the skeleton's from then on: ``attach()``
    leaves that program alone, ``detach()`` and ``destroy()`` destroy the link.
    """

    __slots__ = ("__object__",)

    def __init__(self, obj: Object) -> None:
        self.__object__: Final = obj
        for name in part_names(self):
            setattr(self, name, None)

    if not TYPE_CHECKING:  # one that has it has every attribute, for a type checker

        def __setattr__(self, name: str, value: object) -> None:
            if value is not None and name in part_names(self):
                from skelgen.runtime.links.base import Link

                whose = f"{type(self).__name__}.{name}"
                if not isinstance(value, Link):
                    raise TypeError(
                        f"{whose} must be a link or None, got {type(value).__name__}"
                    )
                if self.__object__.state is State.DESTROYED:
                    raise ClosedError(
                        f"{whose}: the object was destroyed, and takes no link any more"
                    )
            object.__setattr__(self, name, value)


def _attached(links: Links | None) -> list[tuple[str, Link]]:
    """Return attribute and link of what is attached."""
    if links is None:
        return []
    found = [(name, getattr(links, name)) for name in part_names(links)]
    return [(name, link) for name, link in found if link is not None]


def _generated_names(cls: type[Skeleton]) -> tuple[str, ...]:
    """Return the attributes of the generated class, without those of classes over it."""
    above = cls.__mro__
    names = above[above.index(Skeleton) - 1].__dict__.get("__slots__", ())
    return (names,) if isinstance(names, str) else names


class Skeleton(Live):
    """A BPF object with a life: open, prepare, load, attach, detach, destroy.

    ``prepare`` is the first part of ``load``, for those who fill maps in between. A
    context manager, which destroys it in the end.
    """

    __slots__ = ("__weakref__", "object")

    def __init__(self, obj: Object) -> None:
        self.object: Final = obj
        """The object: its maps, programs and sections by name."""

    if not TYPE_CHECKING:  # one that has it has every attribute, for a type checker

        def __setattr__(self, name: str, value: object) -> None:
            if name == "object" or name in _generated_names(type(self)):
                check_first(self, name)
            object.__setattr__(self, name, value)

    @staticmethod
    @cache
    def spec() -> ObjectSpec:
        """Return the blueprint that the skeleton was generated from."""
        raise NotImplementedError

    @classmethod
    def open(
        cls,
        *,
        name: str | None = None,
        btf: str | os.PathLike[str] | bytes | None = None,
        pin_root: str = "/sys/fs/bpf",
        kconfig: str | None = None,
        token: str | None = None,
        log_level: int = 0,
    ) -> Self:
        """Open the object; nothing is in the kernel yet.

        Between this and :meth:`load` globals, map sizes and programs can be changed.
        The options are those of :class:`Object`.
        """
        return cls(
            Object(
                cls.spec(),
                name=name,
                btf=btf,
                pin_root=pin_root,
                kconfig=kconfig,
                token=token,
                log_level=log_level,
            )
        )

    @classmethod
    def open_and_load(
        cls,
        *,
        name: str | None = None,
        btf: str | os.PathLike[str] | bytes | None = None,
        pin_root: str = "/sys/fs/bpf",
        kconfig: str | None = None,
        token: str | None = None,
        log_level: int = 0,
    ) -> Self:
        """Open the object and load it; see :meth:`open` and :meth:`load`."""
        skeleton = cls.open(
            name=name,
            btf=btf,
            pin_root=pin_root,
            kconfig=kconfig,
            token=token,
            log_level=log_level,
        )
        try:
            skeleton.load()
        except BaseException:
            skeleton.destroy()
            raise
        return skeleton

    def prepare(self, *, strict: bool = True) -> LoadReport:
        """Do all of :meth:`load` but the programs: maps and globals are live after it.

        For what has to be in maps when the verifier or the first event looks, for
        handing their fds on, for cloning programs. See :meth:`.Object.prepare`.
        Raises what load raises; StateError when it is prepared or loaded already.
        """
        return self.object.prepare(strict=strict)

    def load(self, *, strict: bool = True) -> LoadReport:
        """Make the maps and load the programs, all of them or nothing.

        Raises VerifierError, CoreRelocationError, ExternError, BpfOSError; StateError
        when it is loaded already. With ``strict=False`` what fails is left out, and
        the report, which is false then, says what and why. After :meth:`prepare` it
        loads the programs, and leaves all else as it is where that fails.
        """
        return self.object.load(strict=strict)

    def attach(self, *, strict: bool = True) -> AttachReport:
        """Attach every program whose ``SEC()`` says where, all of them or nothing.

        The report says what was attached, and why the others were passed over:
        ``SEC("xdp")`` does not say to which interface, a link is there already, or
        ``autoload`` or ``autoattach`` is off. What names its target and cannot be
        attached raises AttachError or BpfOSError; with ``strict=False`` it is left
        out, and the report, which is false then, says why. StateError before load.
        """
        links = self._links()
        taken = [self._c_name(attribute) for attribute, _ in _attached(links)]
        report = self.object.attach(skip=taken, strict=strict)
        if links is not None:
            for attribute in part_names(links):
                link = report.attached.get(self._c_name(attribute))
                if link is not None:
                    setattr(links, attribute, link)
        return report

    def detach(self) -> None:
        """Destroy every link, the last one first; :meth:`attach` works again.

        Goes on when one fails, and raises the first error in the end.
        """
        self._links_and(self.object.detach)

    def pin(self, directory: str | os.PathLike[str]) -> None:
        """Keep all maps and programs under a directory of a bpffs; see :class:`Object`."""
        self.object.pin(directory)

    def unpin(self, directory: str | os.PathLike[str]) -> None:
        """Remove the pins of :meth:`pin`."""
        self.object.unpin(directory)

    def destroy(self) -> None:
        """Detach, close every map and program, give the memory back. Idempotent.

        Views of globals stay valid memory; everything else raises ClosedError from
        then on.
        """
        self._links_and(self.object.destroy)

    def _links_and(self, rest: Callable[[], None]) -> None:
        """Destroy what is in :class:`Links`, also what the user put there; then more."""
        undo = Undo()
        undo.add(rest)
        links = self._links()
        for attribute, link in _attached(links):
            setattr(links, attribute, None)
            undo.add(link.destroy)
        raise_first(undo.run())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.destroy()

    def __repr__(self) -> str:
        state = self.object.life
        if state == "loaded" and _attached(self._links()):
            state = "attached"
        return f"<{type(self).__name__}: {state}>"

    def _c_name(self, attribute: str) -> str:
        """Return the C name of a link's attribute, which may be spelled otherwise."""
        program = getattr(getattr(self, "progs", None), attribute, None)
        if program is not None:
            name: str = program.name
            return name
        from skelgen.runtime.maps.shadow import variable

        shadows = getattr(self, "struct_ops", None)
        return variable(getattr(shadows, attribute)).name

    def _links(self) -> Links | None:
        """Return the generated links; None for an object without programs."""
        links: Links | None = getattr(self, "links", None)
        return links
