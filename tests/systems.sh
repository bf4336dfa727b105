#!/usr/bin/env bash
# Runs install.sh, the quickstart and the tests on fresh systems with other Pythons, each in a chroot made from nothing.
#
#   bash tests/systems.sh                     Debian trixie (Python 3.13) and sid (Python 3.14)
#   bash tests/systems.sh --fast trixie       the fast tests, on one of them
#
#   --steps LIST    of install, quickstart and tests (default: install,quickstart,tests)
#   --updates N     how long the quickstart trains (default 20)
#   --to DIR        where the systems are made, with a log of each (default /var/tmp/s2sft-systems); 10 GB for each
#   --keep          leave a system for another run, which then begins with its steps
#
# It needs root, debootstrap (apt install debootstrap) and a network. A system sees this machine's name servers,
# certificates, pip configuration and proxies, and what is committed here. Its mounts and processes live in namespaces of
# their own, so they end with the script, however that ends. MIRROR names another Debian mirror than this machine's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

steps=install,quickstart,tests updates=20 to=/var/tmp/s2sft-systems keep= fast= systems=()
while [ $# -gt 0 ]; do
    case $1 in
        --steps) steps=${2:?"--steps wants a list"}; shift 2 ;;
        --updates) updates=${2:?"--updates wants a number"}; shift 2 ;;
        --to) to=${2:?"--to wants a directory"}; shift 2 ;;
        --keep) keep=1; shift ;;
        --fast) fast=--fast; shift ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p;}' tests/systems.sh; exit 0 ;;
        -*) echo "systems.sh: unknown argument $1 (bash tests/systems.sh --help)" >&2; exit 2 ;;
        *) systems+=("$1"); shift ;;
    esac
done
[ ${#systems[@]} -gt 0 ] || systems=(trixie sid)
[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null ||
    { echo "systems.sh: it needs root and debootstrap (apt install debootstrap)" >&2; exit 1; }

packages=python3,python3-venv,python3-dev,g++,git,ca-certificates
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
pip_configuration=(/etc/pip.conf /etc/xdg/pip "$HOME/.config/pip" "$HOME/.pip")

# The Debian mirror that apt uses here; nothing where it uses none, and debootstrap then takes its own.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' 2>/dev/null |
        head -n 1
}

# make_system NAME ROOT: a minimal Debian that reaches what this machine reaches.
make_system() {
    local file
    rm -rf "$2"
    mkdir -p "$2"
    debootstrap --variant=minbase --include=$packages "$1" "$2" ${MIRROR:-$(mirror)}
    cp -L /etc/resolv.conf /etc/hosts "$2/etc/"
    for file in "$certificates" "${pip_configuration[@]}"; do
        [ ! -e "$file" ] || { mkdir -p "$2$(dirname "$file")" && cp -rL "$file" "$2$(dirname "$file")/"; }
    done
    touch "$2/made"
}

# inside ROOT COMMAND...: runs it in the checkout there, with this machine's settings of pip and of the network.
inside() {
    local root=$1 kept
    mapfile -t kept < <(env | grep -E '^(PIP_|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|(https?|no|all)_proxy)[^=]*=' || true)
    unshare --mount --pid --fork --kill-child bash -c '
        mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "${@}"' "$root" \
        env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "${kept[@]}" \
        bash -c 'cd /s2sft_fairseq && exec "$@"' inside "${@:2}"
}

# run_step ROOT STEP
run_step() {
    case $2 in
        install) inside "$1" bash install.sh ;;
        quickstart) inside "$1" bash examples/quickstart/run.sh --updates "$updates" ;;
        tests) inside "$1" bash tests/run.sh $fast ;;
        *) echo "systems.sh: no step $2: install, quickstart and tests exist" >&2; return 2 ;;
    esac
}

# try_system NAME: all steps on one system, the first failure ends them.
try_system() {
    local root=$to/$1 step
    [ -e "$root/made" ] || make_system "$1" "$root"
    git init --quiet "$root/s2sft_fairseq"
    git -C "$root/s2sft_fairseq" fetch --quiet --depth 1 "file://$PWD" HEAD
    git -C "$root/s2sft_fairseq" reset --quiet --hard FETCH_HEAD
    for step in ${steps//,/ }; do
        echo "== $1: $step"
        run_step "$root" "$step"
    done
    inside "$root" .venv/bin/python -c 'import platform, torch; print("Python", platform.python_version(), "torch", torch.__version__)'
}

status=0
mkdir -p "$to"
for system in "${systems[@]}"; do
    begin=$SECONDS
    set +e # not in a condition, where the subshell would go on after a failed step
    (set -e; try_system "$system") 2>&1 | tee "$to/$system.log"
    if [ "${PIPESTATUS[0]}" = 0 ]; then result=passed; else result=FAILED status=1; fi
    set -e
    echo "systems.sh: $system $result in $(((SECONDS - begin) / 60)) min ($steps${fast:+, fast}; $to/$system.log)"
    [ -n "$keep" ] || rm -rf "${to:?}/$system"
done
exit $status
