#!/usr/bin/env bash
# Installs what the tests need and runs all of them: format, lint, types, pytest.
#
#   bash tests/run.sh            all but the longest tests
#   bash tests/run.sh --long     everything
#   bash tests/run.sh --fast     without the tests that run whole commands or train a model
#   bash tests/run.sh -k beam    further arguments go to pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tier="not long"
case ${1:-} in
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p;}' tests/run.sh; exit 0 ;;
    --fast) tier="not slow"; shift ;;
    --long) tier=""; shift ;;
esac

bash install.sh --extras test
. "${S2SFT_VENV:-.venv}/bin/activate"
# Two threads on two busy cores wait for each other more than they compute, and spin while they wait.
export OMP_NUM_THREADS=1 GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000}

find . -path './.*' -prune -o -name '*.sh' -print | while read -r script; do bash -n "$script"; done
ruff format --check .
ruff check .
mypy
python -m pytest -n 2 -m "$tier" "$@"
echo "all passed in $SECONDS s"
