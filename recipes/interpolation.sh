#!/usr/bin/env bash
# The interpolation network of `tiny`: three latent frames between each two, on the world's clips at 128 frames a second
# and on the real clips of $MOV_AI_DATA. It stands on the shipped codec. Twenty minutes to render and encode the clips, then
# an hour for each of the two parts, on a core that other work shares.
# What it reaches: python -m studies.interpolation.measure
# Ships as: cp runs/tiny/interpolation/export/* mov_ai/assets/tiny/interpolation/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

real=("objective.data.sources.videos.path=${MOV_AI_DATA:?the folder that holds real_clips}/real_clips")
python -m mov_ai.train experiment=tiny/interpolation experiment_name=tiny/interpolation_latents "${real[@]}" "$@"
python -m mov_ai.train experiment=tiny/interpolation "${real[@]}" \
  +objective.start=runs/tiny/interpolation_latents/export +objective.pixels=1.0 trainer.learning_rate=1.0e-3 \
  trainer.max_steps=2000 "$@"
