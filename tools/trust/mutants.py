"""The mutants of a room, by the operators of cosmic-ray, and a random sample of them.

A site is a place in the source with the mutants that it allows: one of `+` allows eleven, one of `True` one. Sites are
drawn, and a mutant of each, or binary operators would be most of a sample.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

SOURCE = Path("src/learnable_wavelets")
ROOMS = ("functional", "filters", "nn", "regularize")
NEEDS_ARGUMENTS = ("VariableReplacer", "VariableInserter")
PROVIDER = OperatorProvider()

Position = tuple[int, int]


class Mutant(NamedTuple):
    file: str
    line: int
    column: int
    operator: str
    occurrence: int
    original: str
    first: int  # lines of the statement, of the function for its head, of the file outside of functions
    last: int

    def source(self) -> str:
        operator: type[Operator] = PROVIDER[self.operator]
        return str(mutate_code(Path(self.file).read_text(), operator(), self.occurrence))


def files(room: str) -> list[Path]:
    return sorted((SOURCE / room).glob("*.py")) or [SOURCE / f"{room}.py"]


def counts(leaf: parso.tree.NodeOrLeaf) -> bool:
    """Leave out annotations, unions of types outside of functions, and the texts of messages."""
    node, inside = leaf, leaf
    while node.parent is not None:
        inside, node = node, node.parent
        if node.type in ("annassign", "fstring", "tfpdef", "decorator"):
            return False
        if node.type == "funcdef" and node.annotation is inside:
            return False
        if node.type == "param" and inside is node.annotation:
            return False
    is_alias = leaf.get_first_leaf().value == "|" and parso.tree.search_ancestor(leaf, "funcdef", "lambdef") is None
    return not is_alias


def lines(leaf: parso.tree.NodeOrLeaf) -> tuple[int, int]:
    """Return the lines whose tests are to see a mutant here."""
    statement = parso.tree.search_ancestor(leaf, "expr_stmt", "return_stmt", "simple_stmt")
    function = parso.tree.search_ancestor(leaf, "funcdef", "decorated")
    if function is None:
        return 1, leaf.get_root_node().end_pos[0]
    inside = leaf.start_pos >= function.children[-1].start_pos if function.type == "funcdef" else False
    whole = statement if inside and statement is not None else leaf if inside else function
    return whole.start_pos[0], whole.end_pos[0]


def sites(file: Path) -> dict[Position, list[Mutant]]:
    nodes = list(ast_nodes(parso.parse(file.read_text())))
    found: dict[Position, list[Mutant]] = {}
    for name in PROVIDER:
        if name in NEEDS_ARGUMENTS:
            continue
        operator, occurrence = PROVIDER[name](), 0
        for node in nodes:
            for start, _ in operator.mutation_positions(node):
                if counts(node):
                    text = node.get_code(include_prefix=False).splitlines()[0]
                    mutant = Mutant(str(file), *start, name, occurrence, text, *lines(node))
                    found.setdefault(start, []).append(mutant)
                occurrence += 1
    return found


def sample(room: str, size: int, seed: int) -> Iterator[Mutant]:
    """Draw sites, and a mutant of each; a larger sample begins with the smaller one."""
    generator = random.Random(f"{room} {seed}")
    drawn = [mutants for file in files(room) for _, mutants in sorted(sites(file).items())]
    generator.shuffle(drawn)
    for mutants in drawn[:size]:
        yield generator.choice(mutants)


def population(room: str) -> int:
    """Count the sites."""
    return sum(len(sites(file)) for file in files(room))
