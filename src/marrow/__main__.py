"""``python -m marrow`` is the same as ``marrow``."""

import sys

from marrow.cli import main

sys.exit(main())
