"""Measures this project against what a user would pick instead. Start it with ``python benchmarks/run.py``."""

import os

# What the libraries have to say is no result; children read this too.
os.environ.setdefault("LOGLEVEL", "WARNING")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
