"""What the libraries have to say is no result. Imported before them, by the command and so by what it starts."""

import logging
import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # pieces.py is measured on one core
for library in ("fairseq", "s2sft_fairseq"):
    logging.getLogger(library).setLevel(logging.WARNING)
