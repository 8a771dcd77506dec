"""The paper's experiments, behind `learnable-wavelets reproduce ...` (needs the extra `experiments`)."""
