"""``skelgen btf``: what can be done with type information alone."""

import click

from skelgen.cli.btf_dump import dump
from skelgen.cli.btf_min import min_


@click.group(short_help="Work with BTF, the types of kernels and objects.")
def btf() -> None:
    """Work with BTF, the type format of kernels and objects."""


btf.add_command(dump)
btf.add_command(min_)
