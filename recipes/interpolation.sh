#!/usr/bin/env bash
# The interpolation network of `tiny`: three latent frames between each two, on the world's clips at 128 frames a second.
# It stands on the shipped codec. Twenty minutes to render and encode the clips, then about an hour, on a core that other
# work shares.
# What it reaches: python -m studies.interpolation.measure
# Ships as: cp runs/tiny/interpolation/export/* mov_ai/assets/tiny/interpolation/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train experiment=tiny/interpolation "$@"
