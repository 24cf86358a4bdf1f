#!/usr/bin/env bash
# The embedded recognition network of `make eval`: 3,000 steps, 22 to 47 minutes on one core.
# Ships as: cp runs/metrics/recognition/export/* mov_ai/assets/metrics/recognition/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train --config-dir tools/metrics/conf experiment=metrics/recognition "$@"
