"""Train the dense correspondence network that ships with marrow, on synthetic pictures alone.

    python scripts/train_dense.py --people 800 --steps 700

Pictures are drawn once and kept in marrow's cache. Writes ``src/marrow/recover/weights/dense.safetensors`` and tells
the errors on held-out people in held-out motions.
"""

from __future__ import annotations

import argparse

import torch

from marrow.recover.dense import WEIGHTS, DenseNet
from marrow.recover.dense_training import dense_people_of, errors, train_dense
from marrow.train.weights import save_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=800)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3e-3)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = DenseNet()
    people = dense_people_of("train", 0, options.people)

    def tell(stage: str, done: int, total: int | None) -> None:
        if done % 100 == 0:
            print(stage, done, total, flush=True)

    train_dense(
        model, people, 2600, options.steps, batch=options.batch, rate=options.rate, disturbed=True, progress=tell
    )
    WEIGHTS.parent.mkdir(exist_ok=True)
    save_weights(model, WEIGHTS, half=True)
    for split in ("A", "B"):
        found = errors(dense_people_of(split, 1, 100), model)
        print(
            f"split {split}: {100 * found.distance.mean():.1f} cm, similarity {found.similarity.mean():.3f}, "
            f"right part {found.right_part.mean():.3f}, mask {found.overlap.mean():.3f}"
        )


if __name__ == "__main__":
    main()
