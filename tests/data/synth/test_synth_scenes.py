"""Scenes hold what their presets promise, and depend on nothing but preset, seed and number."""

from __future__ import annotations

import numpy as np
import pytest

from marrow.body import load_body
from marrow.data.synth import places
from marrow.data.synth.draw import set_stage
from marrow.data.synth.places import Thing
from marrow.data.synth.presets import PRESETS, preset
from marrow.data.synth.samples import Recipe, scene_of
from marrow.data.synth.scenes import CLEARANCE, Choices, turned
from marrow.errors import InputError
from marrow.geometry.projection import project


def skins(scene) -> list[np.ndarray]:
    body = load_body()
    return [np.asarray(body.pose(a.rest, a.q[0], outputs=("vertices",), threads=1).vertices) for a in scene.actors]


@pytest.mark.parametrize("index", range(4))
def test_clean_pictures_show_one_whole_person_of_the_promised_size(index):
    scene = scene_of(Recipe("clean", seed=5), index)
    given = preset("clean")
    assert len(scene.actors) == 1
    assert scene.actors[0].figure.age >= given.ages[0]
    camera = scene.cameras[0][0]
    xy = project(camera, skins(scene)[0])
    assert ((xy > -0.5) & (xy < np.array(camera.size) - 0.5)).all()
    share = np.ptp(xy[:, 1]) / camera.size[1]
    assert given.height[0] - 0.02 <= share <= given.height[1] + 0.02


def test_people_of_a_crowd_do_not_touch():
    from scipy.spatial import KDTree

    scene = next(s for s in (scene_of(Recipe("multi", seed=2), k) for k in range(9)) if len(s.actors) >= 4)
    points = skins(scene)
    for k, one in enumerate(points):
        for other in points[k + 1 :]:
            # places were compared on a part of the vertices
            assert KDTree(one).query(other)[0].min() > CLEARANCE / 2


def test_a_scene_is_the_same_whatever_was_made_before_it():
    first = scene_of(Recipe("hard", seed=3), 7)
    scene_of(Recipe("hard", seed=3), 1)
    again = scene_of(Recipe("hard", seed=3), 7)
    np.testing.assert_array_equal(first.actors[0].q, again.actors[0].q)
    np.testing.assert_array_equal(first.cameras[0][0].t_cam_world, again.cameras[0][0].t_cam_world)
    assert first.place == again.place
    other = scene_of(Recipe("hard", seed=4), 7)
    assert not np.array_equal(first.cameras[0][0].t_cam_world, other.cameras[0][0].t_cam_world)


def test_several_views_see_the_same_people():
    scene = scene_of(Recipe("clean", seed=1, choices=Choices(views=3)), 0)
    assert len(scene.cameras) == 3
    eyes = np.array([-c[0].R_cam_world.T @ c[0].t_cam_world for c in scene.cameras])
    assert np.linalg.norm(eyes[:, None] - eyes[None], axis=-1)[np.triu_indices(3, 1)].min() > 0.5


def test_clips_move_and_their_people_stay_on_the_floor():
    scene = scene_of(Recipe("clips", seed=1), 0)
    frames = preset("clips").frames
    assert len(scene.time) == frames == 32
    assert all(len(view) == frames for view in scene.cameras)
    actor = scene.actors[0]
    assert actor.q.shape[0] == frames
    stage = set_stage(scene, frames // 2)
    assert stage.people[0].skin[:, 1].min() > -0.06


def test_turning_a_movement_turns_its_skin():
    scene = scene_of(Recipe("clean", seed=5), 1)
    actor, body = scene.actors[0], load_body()
    q = turned(actor.q, actor.rest.skeleton.coordinates, 0.7, (0.3, 0.1, -0.2))
    before = np.asarray(body.pose(actor.rest, actor.q[0], threads=1).vertices, float)
    after = np.asarray(body.pose(actor.rest, q[0], threads=1).vertices, float)
    c, s = np.cos(0.7), np.sin(0.7)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    np.testing.assert_allclose(after, before @ turn.T + [0.3, 0.1, -0.2], atol=2e-6)


def test_presets_are_told_by_name():
    assert {"clean", "hard", "multi", "dense", "clips"} <= set(PRESETS)
    assert all(p.count * p.frames >= 10_000 for p in PRESETS.values())
    with pytest.raises(InputError, match="nearest: clean"):
        preset("claen")


@pytest.mark.parametrize(
    ("given", "needle"),
    [
        ({"maps": ("mask", "dept")}, "no map 'dept'"),
        ({"seed": -1}, "seed"),
        ({"choices": Choices(size=(0, 64))}, "16 to 8192"),
        ({"choices": Choices(views=0)}, "1 to 32"),
        ({"points": -3}, "points"),
        ({"choices": Choices(split="C")}, "no split 'C'"),
    ],
)
def test_impossible_recipes_are_refused(given, needle):
    with pytest.raises(InputError, match=needle):
        Recipe("clean", **given)


def test_a_thing_hides_what_is_behind_it():
    board = Thing("shelf", (("box", (0.0, 1.0, 0.0), (1.0, 2.0, 0.1)),), (0.0, 0.0, 1.0), np.pi / 2, (0.5, 0.5, 0.5))
    eyes = np.array([[2.0, 1, 1], [0, 1, 3]])
    people = np.array([[-1.0, 1, 1], [-1, 1, 2.5], [1, 1, 1], [-3, 6, 1]])
    # turned by a quarter, it is seen from its broad side along x and from its narrow one along z
    np.testing.assert_array_equal(places._hidden(board, eyes, people)[0], [True, False, False, False])
    np.testing.assert_array_equal(places._hidden(board, eyes, np.array([[0.0, 1, -1], [0.5, 1, -1]]))[1], [True, False])


def test_things_between_leave_something_of_people_to_be_seen():
    people = np.stack(np.meshgrid([-0.2, 0.0, 0.2], np.linspace(0, 1.7, 9), [0.0]), -1).reshape(-1, 3)
    eyes = np.array([[0.0, 1.2, 4.0], [3.0, 1.0, 3.0]])
    most = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        place = places.furnished(rng, places.sample_place(rng, eyes, people, False, ()), eyes, people, 0, 12)
        hidden = np.any([places._hidden(thing, eyes, people) for thing in place.things], axis=0)
        most.append(hidden.mean(1).max())
    assert max(most) <= places._MOST_HIDDEN
    assert max(most) > 0.3  # things do stand between
