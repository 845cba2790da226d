"""Motions: readers of measured clips and the small pack of motions that ships with marrow."""

from marrow.data.activities import read_activities
from marrow.data.asf_amc import read_clip
from marrow.data.clips import PointClip, split_of

__all__ = ["PointClip", "read_activities", "read_clip", "split_of"]
