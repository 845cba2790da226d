"""A synthetic world: people, what they do, how they look, and what is drawn and annotated of them."""
