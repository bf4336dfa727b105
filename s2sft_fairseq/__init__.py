"""s2sft_fairseq: pretrained bidirectional Transformers as sequence-to-sequence generators, a fairseq plugin.

Importing the package (``--user-dir s2sft_fairseq``) registers the tasks ``s2s_ft`` and ``s2s_pretraining``, the model
``s2s_ft`` with its architectures, the criterion ``s2s_ft_label_smoothed`` and the encoder ``--bpe s2s_ft``. In Python,
``S2SModel.from_pretrained(CHECKPOINT)`` opens a trained model.
"""

from .common.errors import install_hook
from .common.fairseq_patches import check_environment
from .common.preprocessing import check_texts_first

__version__ = "0.1.0"

install_hook()
check_environment(__name__)
check_texts_first()

from .hub import S2SModel  # noqa: E402  (fairseq is checked first)
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
