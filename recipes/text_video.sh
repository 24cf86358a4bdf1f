#!/usr/bin/env bash
# The embedded text-video network of `make eval`: 1,400 steps, 22 to 31 minutes on one core. It starts from
# runs/metrics/recognition: recognition.sh comes first.
# Ships as: cp runs/metrics/text_video/export/* mov_ai/assets/metrics/text_video/
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m mov_ai.train --config-dir tools/metrics/conf experiment=metrics/text_video "$@"
