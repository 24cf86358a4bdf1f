#!/usr/bin/env bash
# The refiner of `tiny`, one network for the stages 256 and 512. It is trained on what the networks before it make: the
# 256 stage on the denoiser's videos, then both stages on the denoiser's and on its own, and once more on what both make
# now. It stands on the shipped codec and denoiser. Quarter of an hour for the first part, about an hour for the second,
# on a core that has AMX; 80 minutes for the third, of which 35 make the videos, on one that has AVX-512 BF16.
# Ships as: python -m tools.ship runs/tiny/refiner_again mov_ai/assets/tiny/refiner
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
codec=mov_ai/assets/tiny/codec denoiser=mov_ai/assets/tiny/denoiser

# From exported networks to pipelines, made anew if what they are made of has changed.
join() {
  rm -rf "$1"
  mov-ai assemble --codec "$codec" --denoiser "$denoiser" "${@:2}" --out "$1"
}

join runs/tiny/stage_128
python -m mov_ai.train experiment=tiny/refiner hydra.run.dir=runs/tiny/refiner_256 \
  data.earlier=runs/tiny/stage_128 'objective.stage_shares=[0.0,1.0,0.0]' +model.cascade.last=256 \
  data.clips=400 objective.batch_size=16 objective.chunk=4 loss.temporal=0.5 trainer.learning_rate=3.0e-3 \
  trainer.max_steps=2800 "$@"
join runs/tiny/stage_256 --refiner runs/tiny/refiner_256
python -m mov_ai.train experiment=tiny/refiner data.earlier=runs/tiny/stage_256 \
  +objective.start=runs/tiny/refiner_256/export "$@"
join runs/tiny/stage_512 --refiner runs/tiny/refiner
python -m mov_ai.train experiment=tiny/refiner hydra.run.dir=runs/tiny/refiner_again data.earlier=runs/tiny/stage_512 \
  +objective.start=runs/tiny/refiner/export data.clips=250 trainer.learning_rate=1.5e-3 trainer.max_steps=4600 "$@"
