"""The types that one load works with, read when first something needs them.

An object without CO-RE, kernel symbols and struct_ops is loaded without looking at
any: the kernel gets its BTF as bytes.
"""

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

    from skelgen.btf.core.reloc import CoreRelocator
    from skelgen.btf.parse import Btf
    from skelgen.model.spec import ObjectSpec
    from skelgen.runtime.kernel.btf import KernelTypes


class LoadTypes:
    """Types of the object, of the kernel, and of what CO-RE fits programs to.

    ``source`` is BTF in place of the kernel's: a path or its bytes.
    """

    __slots__ = ("_btf", "_kernel", "_relocator", "_source", "_spec")

    def __init__(
        self, spec: "ObjectSpec", source: "str | os.PathLike[str] | bytes | None" = None
    ) -> None:
        self._spec = spec
        self._source = source
        self._btf: Btf | None = None
        self._kernel: KernelTypes | None = None
        self._relocator: CoreRelocator | None = None

    @property
    def btf(self) -> "Btf | None":
        """The object's own; ``None`` for an object without BTF."""
        spec = self._spec
        if self._btf is None and spec.btf is not None:
            from skelgen.btf.parse import Btf

            self._btf = Btf(spec.view(spec.btf))
        return self._btf

    @property
    def kernel(self) -> "KernelTypes":
        """The running kernel's and its modules'."""
        if self._kernel is None:
            from skelgen.runtime.kernel.btf import KernelTypes

            self._kernel = KernelTypes()
        return self._kernel

    @property
    def relocator(self) -> "CoreRelocator | None":
        """The relocator of CO-RE; ``None`` for an object without BTF."""
        if self._relocator is None and self.btf is not None:
            from skelgen.btf.core.reloc import CoreRelocator

            if self._source is None:
                find = self.kernel.candidates
            else:
                from skelgen.runtime.kernel.btf_file import FileTypes, read_btf

                find = FileTypes(read_btf(self._source)).candidates
            self._relocator = CoreRelocator(self.btf, find)
        return self._relocator

    def close(self) -> None:
        """Close the fds of kernel modules."""
        if self._kernel is not None:
            self._kernel.close()
