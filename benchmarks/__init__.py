"""Measures this project against what a user would pick instead. Start it with ``python benchmarks/run.py``."""

import logging
import os

# What the libraries have to say is no result; children read this too.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
for library in ("fairseq", "s2sft_fairseq"):
    logging.getLogger(library).setLevel(logging.WARNING)
