"""Training of the networks that ship with marrow and of the systems' own."""
