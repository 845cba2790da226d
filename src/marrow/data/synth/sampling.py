"""Looks by chance: skin, hair and outfits that go together, by age and sex."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from marrow.data.synth.wardrobe import Colour, Garment, Hair, Item, Look, Skin
from marrow.errors import InputError
from marrow.render.surfaces import Pattern

STYLES = ("casual", "sport", "office", "winter", "summer", "dress", "work")

Rng = np.random.Generator


class Person(Protocol):
    """What is asked of a figure: age in years and sex "f" or "m"."""

    @property
    def age(self) -> float: ...
    @property
    def sex(self) -> str: ...


def sample_look(rng: Rng, figure: Person, style: str | None = None, textures: Sequence[tuple[str, str]] = ()) -> Look:
    """A look for a person.

    Args:
        rng: generator; the same state gives the same look.
        figure: their age and sex.
        style: one of :data:`STYLES`; None: any that suits.
        textures: (name, hash) of the user's pictures (:func:`marrow.data.synth.textures.list_textures`); a third of
            the clothes then wear one.
    Raises:
        InputError: unknown style.
    """
    if style is not None and style not in STYLES:
        raise InputError(f"no style {style!r}; there are {', '.join(STYLES)}")
    female, age = figure.sex == "f", float(figure.age)
    if style is None:
        chance = np.array(
            [0.34, 0.16, 0.14 if age > 17 else 0.02, 0.13, 0.13, 0.16 if female else 0.0, 0.08 if age > 17 else 0.0]
        )
        style = str(rng.choice(STYLES, p=chance / chance.sum()))
    if style == "dress" and not female:
        style = "summer"
    tone = float(rng.beta(1.1, 1.2) * 9)
    skin = _skin(rng, tone, age, female)
    garments, sheets, items = _OUTFITS[style](rng, female, age)
    if textures:
        garments = [_textured(rng, g, textures) for g in garments]
        sheets = [_textured(rng, g, textures) for g in sheets]
    hair = _hair(rng, tone, age, female, style)
    if rng.random() < (0.12 if age < 45 else 0.35):
        items.append(Item("glasses", _dark(rng), (0.02, 0.02, 0.02)))
    elif style in ("summer", "sport", "casual") and age > 12 and rng.random() < 0.12:
        items.append(Item("sunglasses", _dark(rng), (0.02, 0.02, 0.02)))
    bag = rng.random()
    if bag < (0.16 if style in ("casual", "winter", "sport", "summer") else 0.06):
        items.append(Item("backpack", _cloth(rng), _cloth(rng), size=0.8 + 0.25 * rng.random()))
        garments.append(Garment("straps", _dark(rng), (0.02, 0.02, 0.02), 1.0))
    elif bag < (0.30 if female else 0.24) and style not in ("sport", "work"):
        items.append(Item("shoulder bag", _leather(rng), _leather(rng), size=0.75 + 0.35 * rng.random()))
        garments.append(Garment("strap", items[-1].second, (0.02, 0.02, 0.02), 1.0))
    return Look(style, skin, hair, tuple(garments), tuple(sheets), tuple(items))


#: Reflectances from light to dark that skin tones lie between (sRGB).
_TONES = (
    (232, 200, 180), (226, 190, 165), (219, 177, 148), (206, 160, 128), (188, 140, 106), (165, 117, 84), (139, 95, 66),
    (112, 74, 51), (86, 56, 40), (64, 43, 33),
)  # fmt: skip


def _linear(c: Sequence[float]) -> np.ndarray:
    x = np.asarray(c, float) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _colour(x) -> Colour:
    r, g, b = (round(float(np.clip(v, 0.004, 0.92)), 4) for v in x)
    return r, g, b


def _skin(rng: Rng, tone: float, age: float, female: bool) -> Skin:
    tones = np.array([_linear(t) for t in _TONES])
    base = np.array([np.interp(tone, np.arange(len(tones)), tones[:, c]) for c in range(3)])
    base = base * (1 + 0.04 * rng.normal()) * [1.0, 1 + 0.025 * rng.normal(), 1 + 0.05 * rng.normal()]
    lips = base * [0.86, 0.58, 0.60] + [0.03, 0.0, 0.005]
    if female and age > 15 and rng.random() < 0.35:  # lipstick
        lips = 0.45 * lips + 0.55 * np.array([0.35, 0.03, 0.05]) * rng.uniform(0.5, 1.3)
    light = max(0.0, 1 - tone / 4.5)
    eyes = [(0.05, 0.022, 0.01), (0.09, 0.045, 0.02), (0.13, 0.09, 0.035), (0.11, 0.15, 0.09), (0.10, 0.17, 0.28)]
    chance = np.array([1.2, 1.0, 0.25 + 0.3 * light, 0.5 * light, 0.9 * light])
    colour = eyes[int(rng.choice(5, p=chance / chance.sum()))]
    stubble = 0.0 if female or age < 18 else float(max(rng.normal(0.12, 0.12), 0.0))
    return Skin(
        _colour(base), _colour(lips), _colour(np.array(colour) * rng.uniform(0.8, 1.2)),
        red=round(float(np.clip(rng.normal(0.55, 0.2), 0.1, 1.0)), 3),
        blotch=round(float(rng.uniform(0.012, 0.035) * (1.0 + 0.5 * (age > 60))), 4),
        stubble=round(min(stubble, 0.4), 3),
        gloss=round(float(rng.uniform(0.15, 0.35)), 3), seed=int(rng.integers(1 << 30)),
    )  # fmt: skip


def _hair(rng: Rng, tone: float, age: float, female: bool, outfit: str) -> Hair:
    light = max(0.0, 1 - tone / 4.0)
    kinds = [
        (0.012, 0.009, 0.008),
        (0.028, 0.017, 0.011),
        (0.065, 0.036, 0.019),
        (0.16, 0.095, 0.045),
        (0.38, 0.26, 0.13),
        (0.22, 0.065, 0.022),
    ]
    chance = np.array([1.0, 1.0, 0.3 + light, 0.1 + 0.8 * light, 0.75 * light, 0.15 * light])
    colour = np.array(kinds[int(rng.choice(6, p=chance / chance.sum()))]) * rng.uniform(0.75, 1.3)
    if 16 < age < 40 and rng.random() < 0.04:
        colour = np.array(colorsys.hsv_to_rgb(rng.random(), 0.75, 0.45))
    grey = float(np.clip((age - 38 + 9 * rng.normal()) / 32, 0, 1))
    if female and rng.random() < 0.45:
        grey *= 0.25
    mixed = colour * (1 - grey) + grey * np.array([0.42, 0.41, 0.40]) * rng.uniform(0.75, 1.25)
    curly = tone > 5.5 and rng.random() < 0.7
    if female:
        names = ["short", "bob", "long", "ponytail", "bun", "cropped", "side"]
        chance = np.array([0.08, 0.22, 0.30, 0.22, 0.10, 0.02, 0.06])
        if age > 60:
            chance = np.array([0.34, 0.26, 0.06, 0.05, 0.16, 0.02, 0.11])
        if curly:
            names, chance = ["afro", "bun", "ponytail", "cropped", "short"], np.array([0.4, 0.2, 0.15, 0.1, 0.15])
    else:
        names = ["bald", "cropped", "short", "side", "long", "ponytail"]
        bald = float(np.clip((age - 25) / 120, 0, 0.4))
        chance = np.array([bald, 0.22, 0.40, 0.26, 0.03 * (age > 15), 0.02 * (age > 15)])
        if curly:
            names, chance = ["bald", "cropped", "short", "afro"], np.array([bald + 0.08 * (age > 20), 0.5, 0.25, 0.2])
    style = str(rng.choice(names, p=chance / chance.sum()))
    length = {"bob": rng.uniform(0.09, 0.15), "long": rng.uniform(0.22, 0.42), "ponytail": rng.uniform(0.14, 0.36)}.get(
        style, 0.0
    )
    recede = 0.0 if female else max(0.0, rng.normal(0.004 + 0.0007 * max(age - 30, 0), 0.008))
    beard = "none"
    if not female and age > 19 and rng.random() < 0.4:
        beard = str(rng.choice(["full", "goatee", "moustache"], p=[0.6, 0.25, 0.15]))
    brow = colour * 0.75 * (1 - 0.5 * grey) + 0.5 * grey * np.array([0.2, 0.2, 0.2])
    return Hair(
        style, _colour(mixed), round(float(length), 3), volume=round(float(rng.uniform(0.25, 0.85)), 3),
        recede=round(min(float(recede), 0.05), 4),
        sideburn=round(float(rng.uniform(-0.004, 0.008)) if not female else 0.0, 4),
        beard=beard, beard_length=round(float(rng.uniform(0.002, 0.009)), 4), beard_colour=_colour(mixed * 0.9),
        brow=round(float(rng.uniform(0.65, 0.95) if female or age < 14 else rng.uniform(0.85, 1.25)), 2),
        brow_colour=_colour(brow), seed=int(rng.integers(1 << 30)),
    )  # fmt: skip


_NEUTRAL = (
    (0.015, 0.015, 0.017),
    (0.02, 0.027, 0.055),
    (0.06, 0.06, 0.065),
    (0.20, 0.20, 0.21),
    (0.45, 0.44, 0.43),
    (0.72, 0.71, 0.68),
    (0.42, 0.33, 0.22),
    (0.14, 0.08, 0.045),
    (0.075, 0.085, 0.04),
    (0.03, 0.05, 0.10),
)


def _cloth(rng: Rng, bright: float = 0.55) -> Colour:
    if rng.random() > bright:
        return _colour(np.array(_NEUTRAL[int(rng.integers(len(_NEUTRAL)))]) * rng.uniform(0.8, 1.2))
    h, s, v = rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.12, 0.75)
    return _colour(np.array(colorsys.hsv_to_rgb(h, s, v)) ** 1.3)


def _pale(rng: Rng) -> Colour:
    h, s = rng.choice([0.58, 0.6, 0.0, 0.12, 0.55]), rng.uniform(0.0, 0.22)
    return _colour(np.array(colorsys.hsv_to_rgb(float(h), float(s), rng.uniform(0.55, 0.78))))


def _dark(rng: Rng) -> Colour:
    return _colour(np.array(_NEUTRAL[int(rng.choice([0, 0, 1, 2, 7]))]) * rng.uniform(0.7, 1.5))


def _denim(rng: Rng) -> Colour:
    return _colour(np.array([0.055, 0.085, 0.16]) * rng.uniform(0.4, 2.2) * [1 + 0.1 * rng.normal(), 1, 1])


def _leather(rng: Rng) -> Colour:
    return _colour(
        np.array(
            [(0.012, 0.011, 0.011), (0.10, 0.05, 0.025), (0.05, 0.028, 0.018), (0.25, 0.14, 0.07)][int(rng.integers(4))]
        )
        * rng.uniform(0.8, 1.3)
    )


def _khaki(rng: Rng) -> Colour:
    return _colour(
        np.array(
            [(0.36, 0.28, 0.17), (0.09, 0.095, 0.05), (0.03, 0.035, 0.05), (0.24, 0.23, 0.22)][int(rng.integers(4))]
        )
        * rng.uniform(0.8, 1.2)
    )


def _second(rng: Rng, c: Colour) -> Colour:
    if rng.random() < 0.6:
        return _colour(np.array(c) * rng.uniform(0.6, 0.95))
    return _cloth(rng)


def _pattern(rng: Rng, base: Colour, chance: float, kinds: Sequence[str]) -> Pattern | None:
    if rng.random() > chance:
        return None
    kind = str(rng.choice(list(kinds)))
    colour = _cloth(rng, 0.6)
    if np.abs(np.array(colour) - base).max() < 0.08:
        colour = _colour(np.array(base) * 0.35 + 0.35 * (max(base) < 0.2))
    size = {
        "stripes": rng.uniform(0.02, 0.09),
        "checks": rng.uniform(0.03, 0.08),
        "plaid": rng.uniform(0.05, 0.12),
        "dots": rng.uniform(0.02, 0.05),
        "noise": rng.uniform(0.03, 0.1),
        "camouflage": rng.uniform(0.08, 0.15),
        "print": rng.uniform(0.14, 0.24),
    }[kind]
    direction = (1.0, 0.0, 0.0) if kind == "stripes" and rng.random() < 0.25 else (0.0, 1.0, 0.0)
    return Pattern(kind, colour, round(float(size), 4), direction, int(rng.integers(1 << 20)))


def _g(rng: Rng, kind: str, colour: Colour, length: float, **more) -> Garment:
    fit = round(float(np.clip(more.pop("fit", 0.5), 0, 1)), 1)
    second = more.pop("second", None) or _second(rng, colour)
    sleeve = round(round(float(more.pop("sleeve", 0.0)) / 0.04) * 0.04, 2)
    return Garment(
        kind,
        colour,
        second,
        round(round(length / 0.01) * 0.01, 2),
        sleeve,
        fit,
        seed=int(rng.integers(1 << 30)),
        **more,
    )


_WOVEN, _KNIT = ("stripes", "checks", "plaid", "dots"), ("stripes", "print", "print", "noise", "dots")


def _tee(rng: Rng, female: bool, colour: Colour | None = None, tucked: bool = False) -> Garment:
    c = colour or _cloth(rng, 0.65)
    neck = str(
        rng.choice(["crew", "scoop", "v", "wide"], p=[0.45, 0.25, 0.2, 0.1] if female else [0.75, 0.03, 0.2, 0.02])
    )
    return _g(
        rng, "t-shirt", c, 0.93 if tucked else rng.uniform(0.84, 0.90), sleeve=rng.uniform(0.42, 0.72),
        fit=rng.uniform(0.1, 0.5) if female else rng.uniform(0.3, 0.9), neck=neck,
        pattern=_pattern(rng, c, 0.45, _KNIT),
    )  # fmt: skip


def _long(rng: Rng, female: bool, tucked: bool = False) -> Garment:
    c = _cloth(rng, 0.5)
    return _g(
        rng, "long-sleeve", c, 0.93 if tucked else rng.uniform(0.85, 0.90), sleeve=rng.uniform(1.6, 1.95),
        fit=rng.uniform(0.1, 0.6), neck=str(rng.choice(["crew", "v", "high"])), pattern=_pattern(rng, c, 0.35, _KNIT),
    )  # fmt: skip


def _shirt(rng: Rng, tucked: bool, formal: bool = True) -> Garment:
    c = _pale(rng) if formal or rng.random() < 0.4 else _cloth(rng)
    return _g(
        rng, "shirt", c, 0.93 if tucked else rng.uniform(0.85, 0.89),
        sleeve=rng.choice([1.95, 1.92, 1.2, 0.8]) if not formal else 1.95,
        fit=rng.uniform(0.2, 0.6), neck="collar", pattern=_pattern(rng, c, 0.3 if formal else 0.6, _WOVEN),
    )  # fmt: skip


def _trousers(rng: Rng, kind: str, female: bool) -> Garment:
    if kind == "jeans":
        return _g(rng, "jeans", _denim(rng), rng.uniform(1.88, 1.97), fit=rng.uniform(0.0, 0.6))
    c = _khaki(rng) if rng.random() < 0.6 else _dark(rng)
    fit = rng.uniform(0.1, 0.9)
    return _g(
        rng,
        "trousers",
        c,
        rng.uniform(1.82, 1.97),
        fit=fit,
        pattern=_pattern(rng, c, 0.06, ("plaid", "camouflage", "stripes")),
    )


def _shorts(rng: Rng) -> Garment:
    c = _cloth(rng, 0.4)
    return _g(
        rng,
        "shorts",
        c,
        rng.uniform(0.6, 1.0),
        fit=rng.uniform(0.5, 1.0),
        pattern=_pattern(rng, c, 0.12, ("checks", "camouflage", "stripes")),
    )


def _socks(rng: Rng, high: float) -> Garment:
    c = _colour((0.7, 0.7, 0.7)) if rng.random() < 0.4 else _cloth(rng, 0.35)
    return _g(rng, "socks", c, high)


def _shoes(rng: Rng, *kinds: str) -> Item:
    kind = str(rng.choice(list(kinds)))
    if kind == "trainers":
        return Item(kind, _cloth(rng, 0.5), (0.68, 0.68, 0.67) if rng.random() < 0.65 else _cloth(rng, 0.4))
    return Item(kind, _leather(rng), _colour((0.02, 0.018, 0.016)) if kind != "sandals" else _leather(rng))


def _hat(rng: Rng, chance: float, *kinds: str) -> list[Item]:
    return [Item(str(rng.choice(list(kinds))), _cloth(rng, 0.5), _cloth(rng, 0.5))] if rng.random() < chance else []


def _under(rng: Rng, c: Colour | None = None) -> Garment:
    return _g(rng, "under", c or _dark(rng), 0.56, fit=0.0)


def _tights(rng: Rng) -> Garment:
    return _g(rng, "leggings", _dark(rng), 1.97, fit=0.0)


def _casual(rng: Rng, female: bool, age: float):
    lower = _trousers(rng, "jeans" if rng.random() < 0.6 else "trousers", female)
    if female and rng.random() < 0.12:
        lower = _tights(rng)
    kind = rng.random()
    if kind < 0.42:
        tops = [_tee(rng, female)]
    elif kind < 0.58:
        tops = [_long(rng, female)]
    elif kind < 0.72:
        tops = [_shirt(rng, False, formal=False)]
    elif kind < 0.86:
        tops = [_jumper(rng, "hoodie")]
    else:
        tops = [_jumper(rng, "jumper")]
    items = [_shoes(rng, "trainers", "trainers", "shoes", "boots"), *_hat(rng, 0.1, "cap", "beanie")]
    if tops[0].kind == "hoodie":
        items.append(Item("hood", tops[0].colour, tops[0].second))
    elif kind < 0.42 and rng.random() < 0.3:
        tops.append(_jacket(rng))
    return [_socks(rng, 0.35), lower, *tops], [], items


def _jumper(rng: Rng, kind: str) -> Garment:
    c = _cloth(rng, 0.5)
    pattern = _pattern(rng, c, 0.35, ("print", "stripes", "noise"))
    return _g(
        rng,
        kind,
        c,
        rng.uniform(0.86, 0.91),
        sleeve=1.96,
        fit=rng.uniform(0.3, 0.9),
        neck=str(rng.choice(["crew", "v", "high"])) if kind == "jumper" else "crew",
        pattern=pattern,
    )


def _jacket(rng: Rng, kind: str = "jacket", opened: bool | None = None) -> Garment:
    c = _denim(rng) if rng.random() < 0.25 else _cloth(rng, 0.35)
    return _g(
        rng,
        kind,
        c,
        rng.uniform(0.86, 0.92),
        sleeve=2.0,
        fit=rng.uniform(0.3, 0.7),
        neck="lapel" if rng.random() < 0.6 else "collar",
        open=bool(rng.random() < 0.6) if opened is None else opened,
    )


def _sport(rng: Rng, female: bool, age: float):
    c = _cloth(rng, 0.8)
    if female and rng.random() < 0.6:
        lower = _g(
            rng, "leggings", _dark(rng) if rng.random() < 0.6 else _cloth(rng, 0.8), rng.uniform(1.3, 1.95), fit=0.0
        )
    elif rng.random() < 0.6:
        lower = _shorts(rng)
    else:
        lower = _g(rng, "trousers", _dark(rng), 1.92, fit=rng.uniform(0.3, 0.9))
    kind = rng.random()
    if kind < 0.3:
        top = _g(
            rng,
            "tank",
            c,
            rng.uniform(0.86, 0.91),
            fit=rng.uniform(0.1, 0.6),
            neck="scoop" if female else "crew",
            pattern=_pattern(rng, c, 0.3, ("print", "stripes")),
        )
    elif kind < 0.75:
        top = _tee(rng, female, c)
    else:
        top = _jumper(rng, "hoodie")
    items = [_shoes(rng, "trainers"), *_hat(rng, 0.2, "cap")]
    if top.kind == "hoodie":
        items.append(Item("hood", top.colour, top.second))
    return [_socks(rng, rng.uniform(0.35, 0.65)), lower, top], [], items


def _office(rng: Rng, female: bool, age: float):
    garments = [_socks(rng, 0.4)]
    sheets = []
    shirt = _shirt(rng, True)
    if female and rng.random() < 0.4:
        c = _dark(rng)
        garments = [_tights(rng) if rng.random() < 0.6 else _under(rng), shirt]
        sheets = [
            _g(
                rng,
                "skirt",
                c,
                rng.uniform(0.85, 1.1),
                fit=rng.uniform(0.0, 0.25),
                pattern=_pattern(rng, c, 0.15, ("plaid", "checks")),
            )
        ]
    else:
        garments += [shirt, _g(rng, "trousers", _dark(rng), 1.95, fit=rng.uniform(0.2, 0.5))]
    if rng.random() < 0.45:
        garments.append(
            _g(
                rng,
                "jacket",
                garments[-1].colour if not sheets else sheets[0].colour,
                0.87,
                sleeve=1.98,
                fit=0.3,
                neck="lapel",
                open=bool(rng.random() < 0.7),
            )
        )
    elif rng.random() < 0.3 and not sheets:
        garments.append(_g(rng, "jumper", _cloth(rng, 0.4), 0.90, sleeve=1.92, fit=0.3, neck="v"))
    return garments, sheets, [_shoes(rng, "shoes")]


def _winter(rng: Rng, female: bool, age: float):
    lower = _trousers(rng, "jeans" if rng.random() < 0.5 else "trousers", female)
    garments = [lower, _jumper(rng, "jumper") if rng.random() < 0.6 else _long(rng, female)]
    sheets = []
    if age > 14 and rng.random() < 0.55:
        c, opened = _cloth(rng, 0.3), bool(rng.random() < 0.5)
        coat = _g(
            rng,
            "coat",
            c,
            0.93,
            sleeve=2.02,
            fit=rng.uniform(0.2, 0.6),
            neck="lapel" if opened else "collar",
            open=opened,
        )
        garments.append(coat)
        sheets.append(
            _g(rng, "coat", c, rng.uniform(0.5, 1.15), fit=rng.uniform(0.15, 0.4), open=True, second=coat.second)
        )
    else:
        garments.append(_jacket(rng))
    items = [_shoes(rng, "boots", "boots", "trainers"), *_hat(rng, 0.5, "beanie")]
    return garments, sheets, items


def _summer(rng: Rng, female: bool, age: float):
    if rng.random() < 0.75:
        lower = _shorts(rng)
    else:
        lower = _trousers(rng, "trousers", female)
    kind = rng.random()
    if kind < 0.25:
        c = _cloth(rng, 0.8)
        top = _g(
            rng,
            "tank",
            c,
            rng.uniform(0.86, 0.9),
            fit=rng.uniform(0.2, 0.7),
            neck="scoop" if female else "crew",
            pattern=_pattern(rng, c, 0.35, _KNIT),
        )
    elif kind < 0.8:
        top = _tee(rng, female)
    else:
        c = _cloth(rng, 0.8)
        top = _g(
            rng, "shirt", c, 0.87, sleeve=0.7, fit=0.7, neck="collar", pattern=_pattern(rng, c, 0.7, (*_WOVEN, "noise"))
        )
    items = [*_hat(rng, 0.3, "cap", "sun hat"), _shoes(rng, "sandals", "trainers", "trainers")]
    socks = [_socks(rng, 0.3)] if items[-1].kind == "trainers" else []
    if items[-1].kind == "sandals" and rng.random() < 0.2:
        items.pop()
    return [*socks, lower, top], [], items


def _dress(rng: Rng, female: bool, age: float):
    c = _cloth(rng, 0.75)
    pattern = _pattern(rng, c, 0.5, ("dots", "stripes", "noise", "plaid", "checks"))
    legs = _tights(rng) if rng.random() < 0.3 else _under(rng)
    shoes = _shoes(rng, "shoes", "sandals", "trainers", "boots")
    length = float(
        rng.choice([rng.uniform(0.7, 0.95), rng.uniform(0.95, 1.3), rng.uniform(1.5, 1.85)], p=[0.4, 0.4, 0.2])
    )
    if rng.random() < 0.55:
        if rng.random() < 0.5:
            top = _g(rng, "dress-tank", c, 0.95, fit=0.1, neck=str(rng.choice(["scoop", "crew", "v"])), pattern=pattern)
        else:
            top = _g(
                rng,
                "dress",
                c,
                0.95,
                sleeve=float(rng.choice([0.5, 0.8, 1.3, 1.9])),
                fit=0.1,
                neck=str(rng.choice(["scoop", "crew", "v", "wide"])),
                pattern=pattern,
            )
        sheet = _g(rng, "dress skirt", c, length, fit=rng.uniform(0.1, 0.8), pattern=pattern)
    else:
        top = _tee(rng, True, tucked=True) if rng.random() < 0.5 else _long(rng, True, tucked=True)
        sheet = _g(rng, "skirt", c, length, fit=rng.uniform(0.05, 0.8), pattern=pattern)
    return [legs, top], [sheet], [shoes, *_hat(rng, 0.12, "sun hat")]


def _work(rng: Rng, female: bool, age: float):
    c = _dark(rng) if rng.random() < 0.5 else _khaki(rng)
    lower = _g(rng, "trousers", c, 1.93, fit=rng.uniform(0.5, 0.9))
    if rng.random() < 0.45:  # a high-visibility jacket
        bright = _colour([(0.75, 0.33, 0.02), (0.55, 0.72, 0.05)][int(rng.integers(2))])
        top = _g(
            rng,
            "jacket",
            bright,
            0.87,
            sleeve=1.97 if rng.random() < 0.6 else 0.3,
            fit=0.6,
            neck="collar",
            pattern=Pattern("stripes", (0.6, 0.6, 0.6), 0.16, (0.0, 1.0, 0.0), 0),
        )
        tops = [_long(rng, female), top]
    else:
        tops = [_shirt(rng, False, formal=False) if rng.random() < 0.5 else _tee(rng, female)]
    return [_socks(rng, 0.4), lower, *tops], [], [_shoes(rng, "boots"), *_hat(rng, 0.3, "cap", "beanie")]


_OUTFITS = {
    "casual": _casual, "sport": _sport, "office": _office, "winter": _winter, "summer": _summer, "dress": _dress,
    "work": _work,
}  # fmt: skip


def _textured(rng: Rng, garment: Garment, textures: Sequence[tuple[str, str]]) -> Garment:
    if garment.kind in ("under", "socks", "leggings") or rng.random() > 1 / 3:
        return garment
    return replace(garment, texture=textures[int(rng.integers(len(textures)))], pattern=None)
