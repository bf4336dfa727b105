"""Tokenizes text into pieces: ``python -m s2sft_fairseq.pieces``, by the path that it has in a checkout."""

from s2sft_fairseq.common.fairseq_patches import run_command
from s2sft_fairseq.pieces import main

if __name__ == "__main__":
    run_command(main)
