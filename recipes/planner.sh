#!/usr/bin/env bash
# The planner of `tiny`, scene graphs to box tracks: 10,000 steps, 40 minutes on one core. It reads label_meanings.sh.
# Ships as: cp runs/tiny/planner/export/* mov_ai/assets/tiny/planner/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train experiment=tiny/planner "$@"
