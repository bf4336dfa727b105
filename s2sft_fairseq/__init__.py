"""s2sft_fairseq: pretrained bidirectional Transformers as sequence-to-sequence generators, a fairseq plugin.

Importing the package (``--user-dir s2sft_fairseq``) registers the tasks ``s2s_ft`` and ``s2s_pretraining``, the model
``s2s_ft`` with its architectures, the criterion ``s2s_ft_label_smoothed`` and the encoder ``--bpe s2s_ft``. In Python,
``S2SModel.from_pretrained(CHECKPOINT)`` opens a trained model. Outside the package the import registers these names and
changes nothing, unless one of fairseq's commands is the program (``common/fairseq_patches.py``).
"""

from .common.host import check_host, fairseq_command

__version__ = "0.1.0"

check_host(__name__)

from .common.fairseq_patches import apply_patches  # noqa: E402  (fairseq is checked first)

if fairseq_command():
    apply_patches()

from .hub import S2SModel  # noqa: E402  (a command's changes come before what it imports)
from .models import architectures, seq2seq_model  # noqa: E402
from .text import tokenizers  # noqa: E402
from .training import criterion, finetuning_task, pretraining_task  # noqa: E402

__all__ = [
    "S2SModel",
    "architectures",
    "criterion",
    "finetuning_task",
    "pretraining_task",
    "seq2seq_model",
    "tokenizers",
]
