#!/usr/bin/env bash
# From the published data to the paper's figures; the options are those of examples/run.py, --help tells.
#   bash examples/cnndm-10k/run.sh --raw DATA --pretrained ENCODER --work FOLDER
exec python "$(dirname "${BASH_SOURCE[0]}")/../run.py" cnndm-10k "$@"
