"""The toy person of the drawing tests serves the viewer's too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "render"))
