"""The group behind ``skelgen``: a default command, and a help that lists the others."""

import errno
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from skelgen.cli.errors import BAD_INPUT, indented, os_error_text, show
from skelgen.errors import SkelgenError
from skelgen.plain import plain_lines

_SUMMARY = 60
"""Letters of a command's one line in the help."""


class Commands(MutableMapping[str, click.Command]):
    """Commands by name, each imported when it is asked for.

    ``x`` is what ``package.x`` calls ``x``. Importing all of them takes longer than
    most of them run.
    """

    def __init__(self, package: str, names: Sequence[str]) -> None:
        self._package = package
        self._found: dict[str, click.Command | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> click.Command:
        found = self._found[name]
        if found is None:
            module = import_module(f"{self._package}.{name}")
            found = self._found[name] = getattr(module, name)
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class DefaultGroup(click.Group):
    """A group that is its first command, unless another one is named.

    The help lists the commands in the order they were added, which is the order a
    newcomer meets them; a command that is a group shows its own commands.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the default command before arguments that name none."""
        own = {*self.commands, *ctx.help_option_names, "--version"}
        if args and args[0] not in own:
            args = [self._default_name, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what it did not foresee of files is one line, too."""
        try:
            result: object = super().invoke(ctx)
        except SkelgenError as error:
            show(error)
            sys.exit(BAD_INPUT)
        except click.ClickException as error:
            # it may quote an argument, which has any characters
            vars(error)["message"] = indented(plain_lines(error.message))
            raise
        except OSError as error:
            if error.errno == errno.EPIPE:  # which click knows
                raise
            show(SkelgenError(os_error_text(error)))
            sys.exit(BAD_INPUT)
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order they were added."""
        del ctx
        return list(self.commands)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show both forms: the default command without its name, and the others."""
        pieces = self._default.collect_usage_pieces(ctx)
        formatter.write_usage(ctx.command_path, " ".join(pieces))
        formatter.write_usage(
            ctx.command_path, "COMMAND [ARGS]...", prefix=" " * len("Usage: ")
        )

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands, and the group's own options: each has its own help."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(_SUMMARY))
                    for name, command in walk(self)
                    if not isinstance(command, click.Group)
                ]
            )
        records = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record])

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Complete commands, options and files of the default command."""
        items = super().shell_complete(ctx, incomplete)
        known = {item.value for item in items}
        items += [
            item
            for item in self._default.shell_complete(ctx, incomplete)
            if item.value not in known
        ]
        if not incomplete.startswith("-"):
            # first: bash forgets at a file what it had before
            items.insert(0, CompletionItem(incomplete, type="file"))
        return items

    @property
    def _default_name(self) -> str:
        return next(iter(self.commands))

    @property
    def _default(self) -> click.Command:
        return self.commands[self._default_name]


def walk(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command under ``group`` with the words that call it.

    A group comes before its own commands: ``btf``, ``btf dump``.
    """
    for name, command in group.commands.items():
        if command.hidden:
            continue
        yield f"{prefix}{name}", command
        if isinstance(command, click.Group):
            yield from walk(command, f"{prefix}{name} ")
