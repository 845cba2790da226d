"""What a network learns from: mirrored and moved crops still tell the truth about their people."""

from __future__ import annotations

import numpy as np
import torch

from marrow.body import load_body
from marrow.recover.landmarks import COLUMNS, POINTS
from marrow.recover.regressor import PHENOTYPES, BodyRegressor, Read, angle_columns, body_of, read_loss
from marrow.recover.training import Given, mirrored, moved
from marrow.train.loop import train

DEFAULTS = {p.name: p.default for p in load_body().spec.parameters}
BUILD = {name: DEFAULTS[name] for name in PHENOTYPES}


def person(seed: int) -> Given:
    """A crop that shows each joint as a bright pixel, by an orthographic camera of half a side a metre."""
    rng = np.random.default_rng(seed)
    R, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    R *= np.sign(np.linalg.det(R))
    angles = rng.uniform(-0.3, 0.3, len(angle_columns()))
    _, joints = body_of(R, angles, BUILD)
    read = Read(
        torch.tensor(R[None]).float(), torch.tensor(angles[None]).float(), torch.tensor([list(BUILD.values())]).float(),
        torch.tensor(joints[None, :, :2] / 1.5).float(),
    )  # fmt: skip
    hints = torch.rand(1, POINTS, COLUMNS)
    hints[0, :17, :2] = read.xy[0]
    hints[0, :17, 2:5] = torch.tensor(joints)
    return torch.rand(1, 3, 64, 64), torch.tensor([[0.0, 0.0, 0.3]]), hints, read


def joints_of(read: Read) -> np.ndarray:
    return body_of(read.R_cam_pelvis[0].double().numpy(), read.angles[0].double().numpy(), BUILD)[1]


def test_a_mirrored_person_is_where_the_mirror_shows_them():
    images, place, hints, read = person(1)
    flipped, there, told, other = mirrored(images, place + 0.1, hints, read, torch.tensor([True]))
    np.testing.assert_allclose(joints_of(other)[:, :2] / 1.5, other.xy[0].numpy(), atol=8e-3)
    assert told.shape == hints.shape
    assert torch.equal(flipped, images.flip(3))
    assert there[0, 0] == -(place + 0.1)[0, 0]
    assert float(torch.linalg.det(other.R_cam_pelvis)[0]) > 0.99


def test_twice_mirrored_is_as_before():
    given = person(2)
    twice = mirrored(*mirrored(*given, torch.tensor([True])), torch.tensor([True]))
    for a, b in zip([given[2], *vars(given[3]).values()][:-1], [twice[2], *vars(twice[3]).values()][:-1], strict=True):
        torch.testing.assert_close(a, b)
    same = mirrored(*given, torch.tensor([False]))
    torch.testing.assert_close(same[0], given[0])


def test_a_turned_person_is_seen_turned():
    _, place, hints, read = person(3)
    marked = torch.zeros(1, 3, 64, 64)
    at = (31.5 + 32 * read.xy[0, 9]).round().long()
    marked[0, :, at[1], at[0]] = 1
    generator = torch.Generator().manual_seed(5)
    seen, there, told, other = moved(marked, place, hints, read, generator)
    # what is known agrees with the picture ...
    top = int(seen[0].sum(0).argmax())
    found = (torch.tensor([top % 64, top // 64]).float() - 31.5) / 32
    assert float((found - other.xy[0, 9]).abs().max()) < 1.5 / 32
    # ... and with the body: turned about the view, and the crop's own scale and shift
    zoom = float(there[0, 2] / place[0, 2])
    shift = (there[0, :2] - place[0, :2]).numpy() / (float(place[0, 2]) / 2)
    turn = other.R_cam_pelvis[0].double() @ read.R_cam_pelvis[0].double().T
    expected = (joints_of(read)[:, :2] / 1.5 - shift) @ turn[:2, :2].numpy().T / zoom
    np.testing.assert_allclose(expected, other.xy[0].numpy(), atol=1e-4)
    torch.testing.assert_close(told[0, :17, :2], other.xy[0])
    np.testing.assert_allclose(told[0, :17, 2:5].numpy(), joints_of(other), atol=1e-4)
    np.testing.assert_allclose(turn[2].numpy(), [0, 0, 1], atol=1e-5)


def test_it_learns_a_few_crops_by_heart():
    given = [person(k) for k in range(4)]
    images, place = torch.cat([g[0] for g in given]), torch.cat([g[1] for g in given])
    known = Read(
        *(torch.cat([getattr(g[3], name) for g in given]) for name in ("R_cam_pelvis", "angles", "build", "xy"))
    )
    torch.manual_seed(0)
    model = BodyRegressor((8, 16))
    given = images, place, known
    losses = train(model, lambda n: given, lambda m, b: read_loss(m(b[0], b[1]), b[2]), steps=60, rate=5e-3, warm=10)
    # the heat-maps of spots have an entropy of their own, which stays
    assert losses[-1] < 0.7 * losses[0]
