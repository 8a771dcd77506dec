"""Hypothesis strategies for the inputs of which the contracts speak."""

from math import ceil, log2

from hypothesis import strategies as st

from .banks import EXACT, MODES, ORTHOGONAL

modes = st.sampled_from(MODES)
short_wavelets = st.sampled_from(["haar", "db2", "db3", "sym5", "bior1.3", "bior2.2", "bior3.1", "rbio2.4", "coif1"])
exact_wavelets = st.sampled_from(EXACT)
orthogonal_wavelets = st.sampled_from(ORTHOGONAL)
sizes = st.integers(1, 70)
seeds = st.integers(0, 2**31)
leading_shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def levels(draw: st.DrawFn, n: int) -> int | None:
    """`None`, or a depth that every layer with blocks of `n` inputs takes."""
    return draw(st.none() | st.integers(0, ceil(log2(n))))


@st.composite
def rectangles(draw: st.DrawFn) -> tuple[int, int, int | None]:
    """`in_features`, `out_features`, `level`."""
    n_in = draw(sizes)
    n_out = draw(sizes | st.just(n_in))
    block = n_in if n_out > n_in else ceil(n_in / (n_in // n_out))
    return n_in, n_out, draw(levels(block))
