"""From 2-D keypoints to a first 3-D guess of the movement, frame by frame; :mod:`marrow.fit` starts from it."""

from marrow.lift.lift import lift

__all__ = ["lift"]
