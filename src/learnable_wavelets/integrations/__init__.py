"""Connections to other libraries, `transformers` and `lightning`: import each by its full name."""
