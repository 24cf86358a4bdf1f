#!/usr/bin/env bash
# TSAM of `tiny`, the first stage of the cascade: see the card for steps and time; encoding its clips comes
# before that. It stands on codec.sh (what ships, unless objective.codec=DIR is given) and label_meanings.sh.
# Ships as: python -m tools.ship runs/tiny/denoiser mov_ai/assets/tiny/denoiser
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train experiment=tiny/denoiser "$@"
