"""The fine-tuning methods, as they are registered: a new one is taken up by every test that is to hold for all."""

from s2sft_fairseq.objectives.finetuning import OBJECTIVES

METHODS = sorted(OBJECTIVES)
