"""`learnable-wavelets bench`: whether the swap for `nn.Linear` is worth it on this machine, at these sizes."""
