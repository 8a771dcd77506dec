"""Run `learnable-wavelets bench` with more parts, from the root of the source repository.

python -m tools.bench --transforms --images --memory --scaling --recurrent
"""

import sys

from learnable_wavelets import cli
from learnable_wavelets._command_line import Parser, add_options
from learnable_wavelets.benchmarks import bench
from learnable_wavelets.benchmarks._plan import Plan

from . import images, memory, recurrent, scaling, transforms

PARTS = (transforms.PART, images.PART, memory.PART, scaling.PART, recurrent.PART)


def main(words: list[str]) -> int:
    """Run the command; return the exit status."""
    parser = Parser(prog="python -m tools.bench", description=bench.HELP)
    add_options(parser, Plan)
    for part in PARTS:
        parser.add_argument(f"--{part.name}", help=part.help, action="store_true", default=False)
    values = vars(parser.parse_args(words))
    chosen = [part for part in PARTS if values.pop(part.name)]
    return bench.run(values, (bench.LAYERS, *chosen))


if __name__ == "__main__":
    sys.exit(cli.run(lambda: main(sys.argv[1:])))
