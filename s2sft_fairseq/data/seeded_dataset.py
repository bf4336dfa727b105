"""What data sets of pairs and of single texts share: slots that an objective lays out, with noise from a seed."""

from typing import Any, Optional

import numpy as np
from fairseq.data import FairseqDataset


class SeededDataset(FairseqDataset):
    """A data set whose noise is a function of (seed, epoch, index): neither workers nor a resumed run change it.

    A base beside the one of fairseq's that has the examples; :meth:`lay_out_by` completes it.

    Attributes:
        objective: lays out the slots of an example, and knows how many they are.
        seed: of the noise; None: none, every token that the objective can predict is predicted.
        epoch: the current one; each has its own noise.
    """

    objective: Any
    seed: Optional[int]
    epoch: int

    def lay_out_by(self, objective: Any, *, seed: Optional[int]) -> None:
        """Takes the objective, and lets it prepare for training if that is what the data are for."""
        self.objective, self.seed, self.epoch = objective, seed, 1
        if seed is not None:
            objective.prepare()

    def noise(self, index: int) -> np.random.Generator:
        """The random numbers of a training example in this epoch."""
        assert self.seed is not None, "an evaluation has no noise"
        return np.random.default_rng([self.seed, self.epoch, index])

    def count_slots(self, *sizes: np.ndarray) -> np.ndarray:
        """Packed slots of examples whose texts have these sizes, [N] each."""
        count = self.objective.evaluate_slots if self.seed is None else self.objective.train_slots
        return np.asarray(count(*sizes))

    def num_tokens(self, index: int) -> int:
        """Packed slots of one example."""
        return int(self.num_tokens_vec(np.array([index]))[0])

    def set_epoch(self, epoch: int) -> None:
        """Goes on to the noise of another epoch."""
        super().set_epoch(epoch)
        self.epoch = epoch
