#!/usr/bin/env bash
# The frame codec of `tiny`: 1,232 steps, 16 minutes on one core. Further settings may be given: trainer.max_steps=100
# Ships as: cp runs/tiny/codec/export/* mov_ai/assets/tiny/codec/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train experiment=tiny/codec "$@"
