"""The ``skelgen`` command: parse arguments, call the build, print errors."""

import click
from click.shell_completion import CompletionItem

import skelgen
from skelgen.cli.generate import generate
from skelgen.cli.inspect import inspect

_EPILOG = """\b
Examples:
  skelgen trace.bpf.o                    write trace_skel.py beside it
  skelgen trace.bpf.o -o app/trace.py    write it there
  skelgen bpf/*.bpf.o -o app             several, into a folder
  skelgen trace.bpf.o --record rb=event  ring buffer rb carries struct event
  skelgen trace.bpf.o --type config      struct config is wanted too
  skelgen trace.bpf.o --check            is it up to date? (for CI)
  skelgen inspect trace.bpf.o            what is in it?

\b
From C to a running program:
  clang -target bpf -O2 -g -c trace.bpf.c -o trace.bpf.o
  skelgen trace.bpf.o
  python3 -c "
  from trace_skel import Trace
  with Trace.open_and_load() as skel:
      skel.attach()
      input('Enter ends it: ')"

\b
Shell completion, for .bashrc (.zshrc: zsh_source; fish: fish_source):
  eval "$(_SKELGEN_COMPLETE=bash_source skelgen)"

\b
Exit status: 0 all well; 1 --check found a difference; 2 bad input or usage.
"""


class _Skelgen(click.Group):
    """A group that is its command ``generate``, unless another one is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {*self.commands, *ctx.help_option_names, "--version"}
        if args and args[0] not in own:
            args = ["generate", *args]
        return super().parse_args(ctx, args)

    def format_usage(
        self,
        ctx: click.Context,  # noqa: ARG002 - click passes it
        formatter: click.HelpFormatter,
    ) -> None:
        formatter.write_usage("skelgen", "[OPTIONS] OBJ.o...")
        formatter.write_usage("skelgen", "inspect [--json] OBJ.o", prefix=" " * 7)

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        own = [
            record for param in self.get_params(ctx) if (record := _help(param, ctx))
        ]
        records = [
            record
            for param in generate.params
            if isinstance(param, click.Option) and (record := _help(param, ctx))
        ]
        with formatter.section("Options"):
            formatter.write_dl(records + own)
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, self.commands[name].get_short_help_str(60))
                    for name in ("inspect",)
                ]
            )

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        items = super().shell_complete(ctx, incomplete)
        items += generate.shell_complete(ctx, incomplete)
        if not incomplete.startswith("-"):
            items.append(CompletionItem(incomplete, type="file"))
        return items


def _help(param: click.Parameter, ctx: click.Context) -> tuple[str, str] | None:
    return param.get_help_record(ctx)


@click.group(
    cls=_Skelgen,
    epilog=_EPILOG,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(skelgen.__version__, prog_name="skelgen")
def main() -> None:
    """Write a typed Python module for each compiled BPF object.

    The module embeds the bytecode, and needs nothing but Python and skelgen to run:
    maps, programs, globals and events under their names in C, with types.
    """


main.add_command(generate)
main.add_command(inspect)
