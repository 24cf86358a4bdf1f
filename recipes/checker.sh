#!/usr/bin/env bash
# The network of the checker, which judges videos of the embedded world: 3,556 steps, 11 minutes on one core.
# Ships as: cp runs/tiny/checker/export/* mov_ai/assets/tiny/checker/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train --config-dir tools/metrics/conf experiment=tiny/checker "$@"
