#!/usr/bin/env bash
# TSAM of `tiny`, the first stage of the cascade: see the card for steps and time; encoding its clips comes
# before that. It stands on codec.sh (what ships, unless objective.codec=DIR is given) and label_meanings.sh.
# What ships is of an earlier design of the graph encoder, messages=attention; without that it is today's.
# It then goes on twice at a lower rate, from the averaged weights and on the first 3,000 clips.
# Ships as: python -m tools.ship runs/tiny/denoiser_again mov_ai/assets/tiny/denoiser
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

graph=model.denoiser.graph_encoder.messages=attention

# From a run's weights, so many steps more.
go_on() {
  python -m mov_ai.train experiment=tiny/denoiser "$graph" hydra.run.dir="$2" +objective.start="$1/export" data.clips=3000 \
    trainer.learning_rate=6e-4 trainer.warmup_steps=20 trainer.max_steps="$3" "${@:4}"
}

python -m mov_ai.train experiment=tiny/denoiser "$graph" "$@"
go_on runs/tiny/denoiser runs/tiny/denoiser_on 600 "$@"
go_on runs/tiny/denoiser_on runs/tiny/denoiser_again 750 "$@"
