"""Any OpenSim model as a kinematic tree: read, pose, differentiate, fit to markers.

    from marrow.skeleton.osim import Kinematics, read_osim

    body = Kinematics(read_osim("subject.osim"))
    R, p = body.forward(body.default)

Everything here is in OpenSim's ground and the model's own coordinates. :mod:`~marrow.skeleton.osim.read` reads the file
(:mod:`joints` and :mod:`functions` its classes), :mod:`~marrow.skeleton.osim.kinematics` poses it,
:mod:`~marrow.skeleton.osim.ik` fits it; the ``_fast_*`` modules are the kernels.
"""

from marrow.skeleton.osim.ik import CoordinateTask, MarkerFit, fit_markers
from marrow.skeleton.osim.kinematics import Kinematics, forward_subjects
from marrow.skeleton.osim.model import Model
from marrow.skeleton.osim.precision import Precision, coordinate_precision
from marrow.skeleton.osim.read import read_osim

__all__ = [
    "CoordinateTask",
    "Kinematics",
    "MarkerFit",
    "Model",
    "Precision",
    "coordinate_precision",
    "fit_markers",
    "forward_subjects",
    "read_osim",
]
