"""`learnable-wavelets bench`: measure if replacing `nn.Linear` pays on this machine, at these sizes."""
