"""Triton functions, which run on the GPU. A tile is `[R, N]`: R rows, N their width up to a power of two."""
