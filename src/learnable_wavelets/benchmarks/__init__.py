"""`learnable-wavelets bench`: is the swap for `nn.Linear` worth it on this machine, at these sizes? (extra `experiments`)"""
