"""What runs on the GPU: Triton functions. A tile is `[R, N]`: R rows, N their width up to a power of two."""
