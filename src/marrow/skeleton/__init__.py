"""The bones: a tree of typed joints with named coordinates, placed inside a body by its landmarks.

Segment frames are OpenSim's (X forward, Y up, Z to the right) and all parallel at ``q = 0``. Rotations and positions
that come out are in marrow's world (Y up, facing +Z), metres; angles are radians. :mod:`~marrow.skeleton.definition` is
the table of joints, :mod:`~marrow.skeleton.skeleton` the class, ``_fast_kinematics`` the kernels.
"""

from marrow.skeleton.definition import DERIVED
from marrow.skeleton.skeleton import Skeleton, bind_many, landmark_bodies
from marrow.skeleton.tree import BASE, Tree

__all__ = ["BASE", "DERIVED", "Skeleton", "Tree", "bind_many", "landmark_bodies"]
