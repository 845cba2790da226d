"""What biomechanists do with a skeleton: scaling and inverse dynamics, through OpenSim's own tools."""

from marrow.clinical.dynamics import Dynamics as Dynamics
from marrow.clinical.dynamics import inverse_dynamics as inverse_dynamics
from marrow.clinical.scaling import Scaled as Scaled
from marrow.clinical.scaling import scale_model as scale_model

__all__ = ["Dynamics", "Scaled", "inverse_dynamics", "scale_model"]
