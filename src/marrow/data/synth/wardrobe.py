"""What a person looks like, as plain data: skin, hair, clothes and what they carry.

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
        kind: "t-shirt", "long-sleeve", "shirt", "jumper", "hoodie", "tank", "jacket", "coat", "dress", "dress-tank",
            "trousers", "jeans", "shorts", "leggings", "under", "socks", "straps", "strap"; of sheets "skirt",
            "dress skirt", "coat".
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


@dataclass(frozen=True)
class Hair:
    """Hair of the head and the face.

    Attributes:
        style: one of :data:`marrow.data.synth.hair.STYLES`.
        colour, beard_colour, brow_colour: linear RGB.
        length: metres that long hair and tails hang.
        volume: 0 flat to 1 full.
        recede: metres the hairline has receded at the temples; sideburn: metres it is longer before the ears.
        beard: "none", "moustache", "goatee" or "full"; beard_length: metres.
        brow: thickness of the brows, about 1.
        seed: of strands and locks.
    """

    style: str
    colour: Colour
    length: float = 0.25
    volume: float = 0.5
    recede: float = 0.0
    sideburn: float = 0.0
    beard: str = "none"
    beard_length: float = 0.004
    beard_colour: Colour = (0.05, 0.03, 0.02)
    brow: float = 1.0
    brow_colour: Colour = (0.05, 0.03, 0.02)
    seed: int = 0


@dataclass(frozen=True)
class Skin:
    """Skin and eyes.

    Attributes:
        colour, lips, eyes: linear RGB of the skin, the lips and the irises.
        red: how much cheeks, ears and knuckles redden, 0 to 1; blotch: relative unevenness.
        stubble: of a shaven beard, 0 to 1.
        gloss: of :class:`marrow.render.surfaces.Surface`.
        seed: of the blotches.
    """

    colour: Colour
    lips: Colour
    eyes: Colour
    red: float = 0.5
    blotch: float = 0.03
    stubble: float = 0.0
    gloss: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Item:
    """What is put on besides clothes: shoes, hats, glasses, bags.

    Attributes:
        kind: one of the kinds of :mod:`marrow.data.synth.accessories`.
        colour, second: linear RGB.
        size: relative.
    """

    kind: str
    colour: Colour
    second: Colour
    size: float = 1.0


@dataclass(frozen=True)
class Look:
    """Everything about how a person looks.

    Attributes:
        style: name of the outfit's style.
        skin, hair: of the person.
        garments: shells, inner ones first; sheets: skirts and coat tails; items: the rest.
    """

    style: str
    skin: Skin
    hair: Hair
    garments: tuple[Garment, ...]
    sheets: tuple[Garment, ...] = ()
    items: tuple[Item, ...] = ()
