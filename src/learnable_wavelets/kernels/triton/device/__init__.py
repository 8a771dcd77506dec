"""What runs on the GPU: Triton functions. Every tile is `[R, N]`: R rows, N the width of the row up to a power of two."""
