#!/usr/bin/env bash
# Turns a pretrained encoder into a summary writer: Python docstrings in, their summary lines out.
#
#   bash examples/quickstart/run.sh                     under 12 minutes on 2 CPU cores, downloads aside
#   bash examples/quickstart/run.sh --random            the same from random weights, to compare
#
#   --seed N      another run (default 1)            --method M   causal, masked or pseudo_masked (default)
#   --updates N   train longer or shorter (default 1000)
#
# It installs what it needs into .venv, builds the text from the Python packages on this machine, and then runs the
# commands that you would type for your own data, showing each. All it makes is in examples/quickstart/work. A second
# run reuses what is there, and an interrupted one goes on where it stopped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seed=1 method=pseudo_masked updates=1000 start=pretrained
while [ $# -gt 0 ]; do
    case $1 in
        --seed) seed=${2:?"--seed wants a number"}; shift 2 ;;
        --method) method=${2:?"--method wants a fine-tuning method"}; shift 2 ;;
        --updates) updates=${2:?"--updates wants a number"}; shift 2 ;;
        --random) start=random; shift ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p;}' "$0"; exit 0 ;;
        *) echo "run.sh: unknown argument $1 (bash examples/quickstart/run.sh --help)" >&2; exit 2 ;;
    esac
done

encoder=examples/quickstart/encoder
work=examples/quickstart/work
run=$work/$start-$method-$updates-seed$seed

bash install.sh
. "${S2SFT_VENV:-.venv}/bin/activate"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTHONWARNINGS=ignore
[ -n "${OMP_WAIT_POLICY:-}" ] || export GOMP_SPINCOUNT=${GOMP_SPINCOUNT:-1000} # else a busy machine starves the threads
plugin=(--user-dir s2sft_fairseq --task s2s_ft)

# Shows a command as a user would type it, then runs it.
show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

# fairseq's log with the lines that tell how far it is; all of it is in the file $1.
progress() { tee -a "$1" | { grep --line-buffered -E '^\$ | sents|train_inner| valid |rror|loaded|Saved| wps=|Translated' || true; }; }

mkdir -p "$run"
echo "== text: docstrings of the installed packages, and their summary lines"
[ -d $work/raw ] || { show python preprocess/python_docs.py --to $work/raw.part && mv $work/raw.part $work/raw; }

echo "== WordPiece"
if [ ! -d $work/pieces ]; then
    for split in train valid test; do
        show python preprocess/pieces.py --s2s-ft-vocab $encoder \
            --inputs $work/raw/$split.src $work/raw/$split.tgt \
            --outputs $work/pieces.part/$split.src $work/pieces.part/$split.tgt
    done
    mv $work/pieces.part $work/pieces
fi

echo "== binarize"
if [ ! -d $work/data-bin ]; then
    rm -rf $work/data-bin.part
    show fairseq-preprocess "${plugin[@]}" --source-lang src --target-lang tgt \
        --trainpref $work/pieces/train --validpref $work/pieces/valid --testpref $work/pieces/test \
        --srcdict $encoder --joined-dictionary --destdir $work/data-bin.part 2>&1 | progress $work/preprocess.log
    mv $work/data-bin.part $work/data-bin
fi

echo "== fine-tune ($method, from $start weights, seed $seed)"
case $start in
    pretrained) weights=(--pretrained $encoder) lr=5e-4 ;;
    random)
        weights=(--encoder-layers 4 --encoder-embed-dim 256 --encoder-ffn-embed-dim 1024 --encoder-attention-heads 4)
        lr=1e-3
        ;;
esac
if [ ! -e "$run/trained" ]; then
    show fairseq-train $work/data-bin "${plugin[@]}" --arch s2s_ft "${weights[@]}" --finetune-method "$method" \
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
    show fairseq-generate $work/data-bin "${plugin[@]}" --path "$run/checkpoints/checkpoint_last.pt" --cpu \
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
