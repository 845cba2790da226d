"""CMU activity clips of 17 joints in one ``.npz``: an array (T, 17, 3) in metres, Y up, 60 Hz, per clip."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from marrow.data.clips import PointClip
from marrow.errors import InputError

#: Order of the joints in the file (the order of ``h36m17``; its ninth point is the neck, not the nose).
JOINTS = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax",
    "neck", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip

#: The trunk in the neutral pose, metres from the hips' midpoint, facing +Z. The clips were computed with the skeleton
#: of CMU's subject 02 (all their bone lengths agree), so its neutral pose is theirs, less the bone ``thorax``, which
#: the conversion left out: shoulders, neck and head stand ``MISSING_TRUNK`` too low on the trunk.
REST = {
    "pelvis": (0.0, 0.102, -0.035), "right_hip": (-0.092, 0.0, 0.0), "left_hip": (0.092, 0.0, 0.0),
    "spine": (0.0, 0.334, -0.047), "thorax": (0.0, 0.422, -0.039), "neck": (0.0, 0.511, -0.044),
    "head": (0.0, 0.602, -0.047), "left_shoulder": (0.200, 0.385, -0.057), "right_shoulder": (-0.200, 0.385, -0.057),
}  # fmt: skip

#: Length of the bone that the conversion left out, metres.
MISSING_TRUNK = 0.117


def read_activities(path: str | Path, *, fps: float = 60.0) -> list[PointClip]:
    """Read all clips, sorted by name.

    All share one skeleton of fixed bone lengths (the positions were computed with it), hence one ``subject``.

    Raises:
        InputError: not an .npz, or an array is not (T, 17, 3).
    """
    path = Path(path)
    clips = []
    rest = np.array([REST.get(name, (np.nan,) * 3) for name in JOINTS])
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in sorted(file.files):
                xyz = np.asarray(file[name], np.float64)
                if xyz.ndim != 3 or xyz.shape[1:] != (len(JOINTS), 3):
                    raise InputError(f"{path.name}: {name} has shape {xyz.shape}, expected (T, 17, 3)")
                clips.append(PointClip(name, "cmu_activities", fps, JOINTS, xyz, rest))
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name}: expected an .npz of plain arrays ({error})") from None
    return clips
