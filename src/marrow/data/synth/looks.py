"""What a person looks like, as plain data: skin, hair, clothes and what they carry; and how looks are drawn by chance.

All of it is numbers and words, so that a look can be written to JSON and read back to give the same picture. People are
always dressed: every outfit covers the trunk and the thighs. Colours are linear RGB reflectances.
"""

from __future__ import annotations

from dataclasses import dataclass

from marrow.render.surfaces import Pattern

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Garment:
    """One piece of clothing.

    Attributes:
        kind: see :data:`TOPS`, :data:`BOTTOMS` and the other lists of kinds.
        colour, second: of the cloth and of its trims.
        length: of a top, the height of its hem on the average body (metres); of trousers and the like, where they end
            along the leg (1 knee, 2 ankle); of skirts and coat tails likewise.
        sleeve: where sleeves end along the arm (1 elbow, 2 wrist).
        fit: 0 close to 1 loose.
        neck: "crew", "scoop", "wide", "v", "collar", "lapel" or "high".
        open: whether it is open in front.
        pattern: on the cloth, or None.
        texture: name and hash of a picture in the user's folder, or None.
        seed: of its folds.
    """

    kind: str
    colour: Colour
    second: Colour
    length: float
    sleeve: float = 0.0
    fit: float = 0.5
    neck: str = "crew"
    open: bool = False
    pattern: Pattern | None = None
    texture: tuple[str, str] | None = None
    seed: int = 0
