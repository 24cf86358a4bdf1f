#!/usr/bin/env bash
# The planner of `tiny`, scene graphs to box tracks, of the tabletop and of staged scenes: 9,000 steps at one learning
# rate, then 17,000 with more scenes while it falls; an hour and a half on one core. It reads label_meanings.sh.
# Ships as: cp runs/tiny/planner/export/* mov_ai/assets/tiny/planner/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train experiment=tiny/planner hydra.run.dir=runs/tiny/planner_first objective.staged=16000 \
  objective.blur=0.5 trainer.max_steps=9000 trainer.schedule=constant trainer.learning_rate=1.5e-3 "$@"
python -m mov_ai.train experiment=tiny/planner +objective.start=runs/tiny/planner_first/export "$@"
