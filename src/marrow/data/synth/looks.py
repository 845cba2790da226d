"""How people look and what they wear, in four steps: sample a look, dress a person at rest, pose, draw.

    look = sample_look(rng, figure)
    outfit = dress(body, rest, look)
    surfaces = worn(outfit, body, *rest.skeleton.forward(q, translation), body_vertices)

A :class:`Look` is plain data (:mod:`marrow.data.synth.wardrobe`).
"""

from __future__ import annotations

from marrow.data.synth.outfits import LABELS, Outfit, dress, worn
from marrow.data.synth.sampling import STYLES, sample_look
from marrow.data.synth.wardrobe import Garment, Hair, Item, Look, Skin

__all__ = ["LABELS", "STYLES", "Garment", "Hair", "Item", "Look", "Outfit", "Skin", "dress", "sample_look", "worn"]
