"""Measure the tests, from the root of the source repository, into `docs/results/trust.json` and `docs/trust.md`.

python -m tools.trust suite      # tests, examples, coverage
python -m tools.trust mutants    # the mutation score, with the tests that `suite` ran
python -m tools.trust page       # docs/trust.md, from what is committed
"""

import argparse
from pathlib import Path

from . import page

FOLDER = Path("results/trust")
ROOMS = ("functional", "filters", "nn", "regularize")


def run_suite(options: argparse.Namespace) -> None:
    from . import suite

    if not options.report:
        suite.run(options.folder, options.rooms)
    suite.tests(options.folder, options.rooms)
    suite.coverage(options.folder, options.rooms)


def run_mutants(options: argparse.Namespace) -> None:
    from . import mutation

    sizes = dict.fromkeys(options.rooms, options.size)
    if not options.report:
        mutation.run(options.folder, mutation.jobs(options.folder, sizes, options.seed, options.budget), options.again)
    mutation.report(options.folder, sizes, options.seed)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.trust", description="Measure the tests.")
    parser.add_argument("part", choices=("suite", "mutants", "page"))
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the measurements lie (%(default)s)")
    parser.add_argument("--report", action="store_true", help="only the record, from what was measured")
    parser.add_argument(
        "--rooms", type=lambda text: tuple(text.split(",")), default=ROOMS, help="with commas; of these"
    )
    parser.add_argument("--size", type=int, default=80, help="mutants a room (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (%(default)s)")
    parser.add_argument("--budget", type=float, default=20, help="seconds of tests a mutant (%(default)s)")
    parser.add_argument("--again", default="", help="run only mutants with these outcomes again, as survived,timeout")
    return parser.parse_args()


def main() -> None:
    options = parse()
    {"suite": run_suite, "mutants": run_mutants, "page": lambda _: None}[options.part](options)
    page.write()


if __name__ == "__main__":
    main()
