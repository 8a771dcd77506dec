"""The paper's experiments, behind `learnable-wavelets reproduce ...` (needs the extra `experiments`).

Imports run one way: `spec` <- `engine` <- `tasks`, `models`, `report` <- `paper` <- `_command`.
"""
