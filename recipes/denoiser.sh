#!/usr/bin/env bash
# TSAM of `tiny`, one network for all three stages: 1,805 steps, 80 minutes on one core, and the encoding of its clips
# before that. It stands on codec.sh (what ships, unless objective.codec=DIR is given) and label_meanings.sh.
# Ships as: cp runs/tiny/denoiser/export/* mov_ai/assets/tiny/denoiser/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train experiment=tiny/denoiser "$@"
