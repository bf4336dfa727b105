#!/usr/bin/env bash
# Installs s2sft_fairseq, fairseq 0.12.2 and all that they need into .venv beside this script.
#
#   bash install.sh                        what training and generation need
#   bash install.sh --extras test,eval     and what the tests and the evaluation need
#   bash install.sh --cpu                  torch without CUDA    (default: where there is no NVIDIA driver)
#   bash install.sh --cuda                 torch with CUDA       (default: where there is one)
#
# Variables:  PYTHON      the Python to build on, 3.10 to 3.14   (default: the first that serves)
#             S2SFT_VENV  the folder to install into             (default: .venv)
#
# Run it as often as you like: it does what is left to do, and is done at once when nothing changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

fairseq_version=0.12.2
cpu_index=https://download.pytorch.org/whl/cpu
cpu_gb=3 cuda_gb=8 # on disk while installing, by build of torch; CUDA's environment has 4.9 in the end
venv=${S2SFT_VENV:-.venv}
stamps=$venv/.s2sft # a file for each step done, with the key of what it was done for
log=$venv/install.log
export CC=${CC:-cc} CXX=${CXX:-c++}
# Build environments read these two (old pip the first, new pip the second): no build may draw another torch.
export PIP_CONSTRAINT="file://${PWD// /%20}/constraints.txt"
export PIP_BUILD_CONSTRAINT=$PIP_CONSTRAINT PIP_DISABLE_PIP_VERSION_CHECK=1

extras= build=
while [ $# -gt 0 ]; do
    case $1 in
        --extras) extras=${2:-}; shift 2 || { echo "install.sh: --extras wants a list, such as test,eval" >&2; exit 2; } ;;
        --cpu | --cuda) build=${1#--}; shift ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p;}' install.sh; exit 0 ;;
        *) echo "install.sh: unknown argument $1 (bash install.sh --help)" >&2; exit 2 ;;
    esac
done
for extra in ${extras//,/ }; do
    grep -qx "$extra =" setup.cfg || { echo "install.sh: no extra named $extra: test, eval, meteor, bpe, parquet and bench exist" >&2; exit 2; }
done

# ---- what this machine lacks ---------------------------------------------------------------------------------

# Prints what the Python $1 lacks, a line each; fails where it does not run or is none of 3.10 to 3.14.
python_lacks() {
    "$1" - 2>/dev/null <<'PROBE'
import os, sys, sysconfig
from importlib.util import find_spec
if not (3, 10) <= sys.version_info[:2] <= (3, 14):
    sys.exit(1)
package = "python%d.%d" % sys.version_info[:2]
if not (find_spec("venv") and find_spec("ensurepip")):
    print(f"{sys.executable} cannot make virtual environments: apt install {package}-venv")
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    print(f"{sys.executable} has no header files, which fairseq is built with: apt install {package}-dev")
PROBE
}

# Sets python to the first candidate that lacks nothing, or else adds to missing what the first that runs lacks.
find_python() {
    local candidate lacks found=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do
        lacks=$(python_lacks "$candidate") || continue
        [ -n "$lacks" ] || { python=$candidate; return; }
        found=${found:-$lacks}
    done
    missing+=${found:-"no Python 3.10 to 3.14 (tried ${PYTHON:-python3, python3.14 to python3.10}): \
apt install python3-venv python3-dev, or name one, PYTHON=/path/to/python3.11 bash install.sh"}$'\n'
}

# Prints what the disk lacks for a build of torch, $1.
disk_lacks() {
    local need_gb=${1}_gb free_mb=$(($(df -Pk "$(dirname "$venv")" | awk 'NR == 2 {print $4}') / 1024))
    [ "$free_mb" -ge $((need_gb * 1024)) ] ||
        echo "$free_mb MB free for $venv, ${!need_gb} GB needed: make room, or set S2SFT_VENV to a folder elsewhere"
}

# Sets python; says what is missing, a line each, and exits.
check_machine() {
    local missing=
    find_python
    command -v "${CXX%% *}" >/dev/null && command -v "${CC%% *}" >/dev/null ||
        missing+="no C++ compiler ($CC, $CXX), which fairseq is built with: apt install g++, or set CC and CXX"$'\n'
    missing+=$(disk_lacks $build)
    [ -z "$missing" ] || { sed '/./s/^/install.sh: /' <<<"${missing%$'\n'}" >&2; exit 1; }
}

# Prints which build of torch is installed; fails where none is.
installed_build() {
    "$venv/bin/python" - 2>/dev/null <<'PROBE'
from importlib.metadata import requires
print("cuda" if any(need.startswith(("nvidia-", "cuda-")) for need in requires("torch") or ()) else "cpu")
PROBE
}

# Prints which build of torch this machine can use.
usable_build() {
    if [ -e /proc/driver/nvidia/version ] || nvidia-smi -L 2>/dev/null | grep -q GPU; then echo cuda; else echo cpu; fi
}

# ---- steps ---------------------------------------------------------------------------------------------------

is_done() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; }
mark_done() { echo "$2" >"$stamps/$1"; }

# Every 3 seconds: the time gone by and what pip is at.
heartbeat() {
    while sleep 3 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        printf '  %4d s  %s\n' $SECONDS \
            "$(sed -nE '/^ *(Collecting|Downloading|Building|Installing|WARNING: Retr)/{s/^ *//;s/: .*//;p;}' "$log" | tail -n 1)"
    done
}

stop_heartbeat() { kill "$pulse" 2>/dev/null && wait "$pulse" 2>/dev/null || true; }

# attempt WHAT COMMAND...: says WHAT, and keeps what the command prints in the log.
attempt() {
    local status=0
    echo "$1"
    heartbeat &
    pulse=$!
    trap stop_heartbeat EXIT
    trap 'echo "interrupted: the same command goes on from here" >&2; exit 130' INT
    "${@:2}" >>"$log" 2>&1 || status=$?
    stop_heartbeat
    return $status
}

# run WHAT COMMAND...: the same, and explains a failure.
run() {
    attempt "$@" || {
        grep -E '^ *(ERROR|error):' "$log" | tail -n 3 || tail -n 3 "$log"
        echo "install.sh: '$1' failed ($log has it all); the same command goes on from here, after rm -rf $venv anew"
        exit 1
    } >&2
}

# The CPU build of torch; where it cannot be had, pip's own index has the last word.
install_cpu_torch() {
    attempt "installing the CPU build of torch" "${pip[@]}" --no-deps --index-url $cpu_index --retries 1 --timeout 20 torch &&
        [ "$(installed_build)" = cpu ] && return
    echo "no CPU build of torch from $cpu_index: pip's own choice instead, with CUDA 5 GB on disk ($cuda_gb while installing)"
    require_disk cuda
}

# Ends the script where there is too little room for a build of torch, $1.
require_disk() {
    local lacks=$(disk_lacks "$1")
    [ -z "$lacks" ] || { echo "install.sh: $lacks" >&2; exit 1; }
}

pip=("$venv/bin/python" -m pip install --progress-bar off)
installed=$(installed_build || true)
build=${build:-${installed:-$(usable_build)}}

if [ ! -d "$stamps" ]; then
    check_machine
    mkdir -p "$venv"
    run "making $venv with $("$python" --version)" "$python" -m venv "$venv"
    mkdir "$stamps"
fi
extras=$(echo "${extras:+$extras,}$(cat "$stamps/extras" 2>/dev/null || true)" | tr , '\n' | sed '/^$/d' | sort -u | paste -sd , -)
requirements="$(cat setup.cfg constraints.txt | cksum) $extras"
sources=$(find s2sft_fairseq s2sft_startup.* setup.py -type f -not -name '*.pyc' | LC_ALL=C sort | xargs cat | cksum)
is_done fairseq $fairseq_version && is_done requirements "$requirements $build" && is_done plugin "$sources" && exit

: >"$log"
# What an interrupted pip left unfinished has no RECORD, and yet pip would take it for installed.
find "$venv"/lib/python3*/site-packages -maxdepth 1 -name '*.dist-info' ! -exec test -e {}/RECORD \; -exec rm -rf {} +
rm -rf build/lib # setuptools would pack modules that were deleted since
if ! is_done fairseq $fairseq_version; then
    # Alone: its pins of omegaconf and hydra cannot be resolved; setup.cfg declares what works instead.
    run "building and installing fairseq $fairseq_version" "${pip[@]}" --no-deps "fairseq==$fairseq_version"
    mark_done fairseq $fairseq_version
fi
if is_done requirements "$requirements $build"; then
    run "installing the changed plugin" "${pip[@]}" --no-deps .
else
    if [ "${installed:-$build}" != $build ]; then
        require_disk $build
        run "removing torch for $installed" "$venv/bin/python" -m pip uninstall -y torch
    fi
    [ "$build $(uname)" != "cpu Linux" ] || install_cpu_torch # elsewhere pip's own index has no other
    run "installing torch, the other requirements and the plugin" "${pip[@]}" ".${extras:+[$extras]}"
    mark_done extras "$extras"
    mark_done requirements "$requirements $(installed_build)"
fi
mark_done plugin "$sources"
echo "installed in $SECONDS s; next: . $venv/bin/activate"
