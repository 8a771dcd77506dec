"""What other libraries need to know of this one: `transformers` and `lightning`, each imported by its full name."""
