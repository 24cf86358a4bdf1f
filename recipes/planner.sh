#!/usr/bin/env bash
# The planner of `tiny`, scene graphs to box tracks: 20,000 steps on the plain world (three quarters of an hour on one
# core), then 4,000 with scenes in which things meet or many are alike. It reads label_meanings.sh.
# Ships as: cp runs/tiny/planner_varied/export/* mov_ai/assets/tiny/planner/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train experiment=tiny/planner "$@"
python -m mov_ai.train experiment=tiny/planner hydra.run.dir=runs/tiny/planner_varied \
  +objective.start=runs/tiny/planner/export +objective.interactions=0.3 +objective.crowds=0.1 \
  trainer.max_steps=4000 trainer.learning_rate=6.0e-4 "$@"
