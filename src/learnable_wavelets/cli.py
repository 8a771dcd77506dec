"""The command `learnable-wavelets`; what it needs beyond the library is the extra `experiments`."""

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    import typer

EXTRA = ("typer", "rich", "pooch", "matplotlib", "filelock")


def main() -> None:
    """Entry point: exit status 2 with one line for bad options, 130 when interrupted."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        needs = f"learnable-wavelets needs {', '.join(missing)} for its commands"
        sys.exit(_fail(f'{needs}: pip install "learnable-wavelets[experiments]"'))
    try:
        status = build_app()(standalone_mode=False)
    except Exception as error:
        # typer brings click's exceptions inside itself or beside itself, by version; this method is theirs in both.
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()
        status = _fail(message) if message else 2  # a command without arguments has shown its help
    sys.exit(status)


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def build_app() -> "typer.Typer":
    """The command line: `reproduce NAME` for each experiment, `table` and `bench`."""
    import typer

    from .benchmarks import bench
    from .experiments import _report
    from .experiments._all import EXPERIMENTS
    from .experiments._command import all_command, command

    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Experiments and benchmarks with learnable-wavelets.",
    )

    def show_version(wanted: bool) -> None:
        if wanted:
            typer.echo(f"learnable-wavelets {__version__}")
            raise typer.Exit

    @app.callback()
    def options(
        version: bool = typer.Option(False, "--version", help="Show it.", is_eager=True, callback=show_version),
    ) -> None:
        pass

    reproduce = typer.Typer(no_args_is_help=True, help="Repeat an experiment of the paper.")
    for experiment in EXPERIMENTS:
        reproduce.command(experiment.name)(command(experiment))
    reproduce.command("all")(all_command(EXPERIMENTS))
    app.add_typer(reproduce, name="reproduce")
    app.command()(_report.table)
    app.command("bench")(bench.command)
    return app


if __name__ == "__main__":
    main()
