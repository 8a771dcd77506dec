"""Benchmarks for maintainers: `learnable-wavelets bench` with transforms, memory and scaling beside the layers."""
