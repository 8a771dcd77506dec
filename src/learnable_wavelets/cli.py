"""The command `learnable-wavelets`; its dependencies beyond those of the library are the extra `experiments`."""

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    from ._command_line import Parser

EXTRA = ("rich", "pooch", "matplotlib", "filelock")


def main() -> None:
    """Run the command line: exit status 2 with one line for bad options, data and disks, 130 when interrupted."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        needs = f"learnable-wavelets needs {', '.join(missing)} for its commands"
        sys.exit(_fail(f'{needs}: pip install "learnable-wavelets[experiments]"'))
    sys.exit(run(lambda: _run(sys.argv[1:])))


def run(command: Callable[[], int]) -> int:
    """Run `command`; turn errors of the user's input or machine into one line and exit status 2, Ctrl-C into 130."""
    try:
        return command()
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError) as error:
        return _fail(str(error))


def _fail(message: str) -> int:
    print(f"error: {' '.join(message.splitlines())}", file=sys.stderr)
    return 2


def _run(words: Sequence[str]) -> int:
    parser = build_parser()
    if not words:
        parser.print_help()
        return 2
    values = vars(parser.parse_args(words))
    command: Callable[..., int] = values.pop("command")
    return command(values)


def build_parser() -> "Parser":
    """Build the command line: `compare`, `compress`, `reproduce NAME` for each experiment, `table` and `bench`."""
    from ._command_line import Parser
    from .benchmarks import bench
    from .converter import add_command
    from .experiments import _command, _compare

    parser = Parser(prog="learnable-wavelets", description="Experiments and benchmarks with learnable-wavelets.")
    parser.add_argument("--version", action="version", version=f"learnable-wavelets {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _compare.add_command(commands)
    _command.add_commands(commands)
    bench.add_command(commands)
    add_command(commands)
    return parser


if __name__ == "__main__":
    main()
