#!/usr/bin/env bash
# The planner of `tiny`, scene graphs to box tracks, of the tabletop and of staged scenes: 9,000 steps at one learning
# rate, 17,000 with more scenes while it falls, then 6,000, 4,000 mostly of the tabletop, and 30,000 of both alike; three
# and a half hours on one core. The weights that ship had no ranks before the last run, and 5,500 of its steps without.
# It reads label_meanings.sh.
# Ships as: cp runs/tiny/planner_ranks/export/* mov_ai/assets/tiny/planner/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train experiment=tiny/planner hydra.run.dir=runs/tiny/planner_first objective.staged=16000 \
  objective.blur=0.5 trainer.max_steps=9000 trainer.schedule=constant trainer.learning_rate=1.5e-3 "$@"
python -m mov_ai.train experiment=tiny/planner +objective.start=runs/tiny/planner_first/export "$@"
python -m mov_ai.train experiment=tiny/planner hydra.run.dir=runs/tiny/planner_last \
  +objective.start=runs/tiny/planner/export objective.staged_share=0.55 objective.blur=0.2 \
  trainer.max_steps=6000 trainer.learning_rate=6.0e-4 "$@"
python -m mov_ai.train experiment=tiny/planner hydra.run.dir=runs/tiny/planner_tabletop \
  +objective.start=runs/tiny/planner_last/export objective.staged_share=0.25 objective.blur=0.2 \
  trainer.max_steps=4000 trainer.learning_rate=6.0e-4 "$@"
python -m mov_ai.train experiment=tiny/planner hydra.run.dir=runs/tiny/planner_ranks \
  +objective.start=runs/tiny/planner_tabletop/export objective.staged=44000 objective.staged_share=0.5 \
  objective.blur=0.2 trainer.max_steps=30000 "$@"
