"""Blocks for networks and for fits by automatic differentiation. What is here works on torch tensors."""
