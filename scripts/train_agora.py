"""Train the regressor that ships with the system ``agora``: that of its bench's first seed.

    python scripts/train_agora.py

Draws 1,200 crops of crowds (some ten minutes on one core, kept in the cache) and trains for some minutes. What ships
was made at commit af3a78a; where the pictures have changed since, so do the weights, a little.
"""

from __future__ import annotations

from marrow.systems import agora
from marrow.train.weights import save_weights

if __name__ == "__main__":
    config = agora.Config()
    model = agora._new(config, 0)
    losses = agora.train(model, config, config.steps, 0)
    agora.WEIGHTS.parent.mkdir(exist_ok=True)
    save_weights(model, agora.WEIGHTS, half=True)
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f}; written: {agora.WEIGHTS} ({agora.WEIGHTS.stat().st_size:,} B)")
