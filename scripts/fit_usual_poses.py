"""Fit the normal distribution by which joints that nobody sees are filled in (marrow.lift.completion).

    python scripts/fit_usual_poses.py

Takes the training motions alone, so that what is measured on the others stays held out: half a minute.
"""

from __future__ import annotations

import io

import numpy as np
import torch

from marrow.data.lifting import people, views
from marrow.io.files import write_atomically
from marrow.lift.completion import USUAL
from marrow.lift.normalise import normalised, to_network
from marrow.train.seeds import generator

BODIES, POSES = 8, 100_000


def main() -> None:
    """Fit and write."""
    seen, chance = people("train", BODIES, ages=(8.0, 80.0), mixed=True), generator(0)
    own = views(seen, torch.randint(len(seen.clip), (POSES,), generator=chance), 1, chance)
    given = normalised(own.xy, torch.ones(own.xy.shape[:-1]), own.stature)
    space = to_network(given, own.xyz - own.xyz[..., :1, :])
    both = torch.cat([given.xy[:, 0].flatten(1), space[:, 0].flatten(1)], -1).double()
    mean = both.mean(0)[: given.xy[0, 0].numel()].view(-1, 2)
    file = io.BytesIO()
    np.savez_compressed(
        file, mean=mean.numpy().astype(np.float32), covariance=torch.cov(both.T).numpy().astype(np.float32)
    )
    with write_atomically(USUAL) as out:
        out.write(file.getvalue())
    print(f"written: {USUAL.name}, {USUAL.stat().st_size:,} B")


if __name__ == "__main__":
    main()
