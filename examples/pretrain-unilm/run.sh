#!/usr/bin/env bash
# From plain text to an encoder that can be fine-tuned; the options are those of examples/run.py, --help tells.
#   bash examples/pretrain-unilm/run.sh --raw TEXT --pretrained ENCODER --work FOLDER
exec python "$(dirname "${BASH_SOURCE[0]}")/../run.py" pretrain-unilm "$@"
