#!/usr/bin/env bash
# The scene-graph parser: two teachers (5,500 steps each), then two students (9,000 steps each), two and two side by side
# on two cores; an hour and forty minutes in all. It stands on spacy_pipeline.sh and word_vectors.sh.
# The students then go on with prompts as people write them (another hour and a half).
# Then both go on with staged captions, that say how things move and where.
# The first of them then goes on with the same in many more words, and is joined with the second as it was; then the second
# does, and is joined with the first. Both then go on once more, in turn, with names of people and cities; what ships is
# half-way between.
# Ships as: cp runs/parser/between/{config.json,model.safetensors} mov_ai/assets/parser/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

# Both seeds of a training; the log of the second is in its folder.
both() {
  local second="$1"
  shift
  mkdir -p "$second"
  python -m mov_ai.train "$@" seed=1 hydra.run.dir="$second" >"$second/output.log" 2>&1 &
  local process=$!
  python -m mov_ai.train "$@" seed=0 || { kill "$process"; return 1; }
  wait "$process"
}

both runs/parser/teacher-1 experiment=parser/teacher "$@"
both runs/parser/factual-1 experiment=parser/factual 'objective.partners=[]' "$@"
# Nothing is left to train: this joins the two students in one parser.
python -m mov_ai.train experiment=parser/factual "$@"
both runs/parser/prompts-1 experiment=parser/prompts 'objective.partners=[]' "$@"
both runs/parser/prompts-1 experiment=parser/prompts_again 'objective.partners=[]' "$@"
python -m mov_ai.train experiment=parser/prompts_again "$@"
both runs/parser/staged-1 experiment=parser/staged 'objective.teachers=[runs/parser/prompts/export]' "$@"
python -m mov_ai.train experiment=parser/staged 'objective.teachers=[runs/parser/prompts/export]' \
  'objective.partners=[runs/parser/staged-1/export]' "$@"
python -m mov_ai.train experiment=parser/wider 'objective.teachers=[runs/parser/staged-0/export]' \
  'objective.partners=[runs/parser/staged-0/export@1]' "$@"
python -m mov_ai.train experiment=parser/wider seed=1 trainer.max_steps=3000 'objective.teachers=[runs/parser/wider-0/export]' \
  'objective.partners=[runs/parser/wider-0/export@0]' "$@"
python -m mov_ai.train experiment=parser/names 'objective.teachers=[runs/parser/wider-1/export]' \
  'objective.partners=[runs/parser/wider-1/export@0]' "$@"
python -m mov_ai.train experiment=parser/names seed=1 'objective.teachers=[runs/parser/names-0/export]' \
  'objective.partners=[runs/parser/names-0/export@0]' "$@"
python -m tools.builders.between_parsers --later runs/parser/names-1/export --earlier runs/parser/wider-1/export --out runs/parser/between
