"""A trained model in Python: generates text from text, and scores a text as the output for another.

    model = S2SModel.from_pretrained("checkpoints")
    model.generate(["One more document to summarize."], beam=5, no_repeat_ngram_size=3)

It is a fairseq hub interface, so ``translate``, ``sample``, ``encode``, ``decode`` and ``to("cuda")`` work as well.
"""

import copy
import os
import pickle
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Type, Union

import torch
from fairseq import utils
from fairseq.data import FairseqDataset, ListDataset
from fairseq.hub_utils import GeneratorHubInterface
from fairseq.token_generation_constraints import pack_constraints
from torch import Tensor
from tqdm import tqdm

from . import hub_loading as loading
from .common.errors import UserError
from .common.pickled import pickled
from .search.keyword_options import OF_FAIRSEQ, OF_PLUGIN, changed, check_names
from .text.source_spacing import spaced_like
from .text.text_items import Text, check_text, text_items


class Hypothesis(NamedTuple):
    """An output with the probability that the model gives it.

    Attributes:
        text: detokenized, without special tokens.
        score: the search's ranking criterion: the log-probability divided by the length penalty.
        tokens: ids in the dictionary [T], the end token last.
        token_scores: the natural logarithm of each token's probability [T].
    """

    text: str
    score: float
    tokens: Tensor
    token_scores: Tensor

    @property
    def log_probability(self) -> float:
        """The natural logarithm of the probability of the whole output."""
        return float(self.token_scores.sum())


class S2SModel(GeneratorHubInterface):
    """A trained model or an ensemble, with its tokenizer; see :meth:`from_pretrained`."""

    @classmethod
    def from_pretrained(
        cls, path: Union[str, "os.PathLike[str]"], *, data: Optional[str] = None, **overrides: Any
    ) -> "S2SModel":
        """Loads a checkpoint, which contains everything needed: sizes, method, dictionary and tokenizer.

        Args:
            path: a checkpoint, a directory that contains one (checkpoint_best.pt is preferred), or several, separated
                by colons, for an ensemble.
            data: directory with the dictionary, for an older checkpoint without one.
            **overrides: options of fairseq and the plugin, such as ``inference_precision="int8"``,
                ``s2s_ft_vocab=DIR``, ``batch_size=8``, ``max_tokens=4000``; ``bpe=None``: text is already tokenized.

        Raises:
            UserError: something is missing (the message says how to provide it), or an option does not exist.
        """
        with torch.random.fork_rng(
            devices=[]
        ):  # a model is initialized at random before it gets the checkpoint's weights
            loaded = loading.load(os.fspath(path), data=data, overrides=overrides)
        model = cls(loaded.cfg, loaded.task, loaded.models)
        model.bpe = loaded.bpe
        return model.eval()

    def __reduce__(self) -> Tuple[Any, ...]:
        """Makes a model picklable with its tokenizer and search options: for spawned processes, and for copies."""
        return restored, (type(self), pickled(vars(self)))

    def generate(self, sources: Any, beam: int = 5, verbose: bool = False, **options: Any) -> Any:
        """The best output for each source, in the order of the sources.

        Args:
            sources: texts, or a single one. For tensors, as ``encode`` returns them, the result is fairseq's: lists of
                dictionaries.
            beam: the size of the beam.
            verbose: show a progress bar for text, fairseq's log for tensors.
            **options: see :meth:`search`.

        Raises:
            UserError: as in :meth:`search`, or texts are mixed with tensors.
        """
        if isinstance(sources, str):
            return self.generate([sources], beam, verbose, **options)[0]
        if torch.is_tensor(sources):
            return super().generate(sources, beam, verbose, **options)
        sources = text_items(sources, "sources")
        if sources and not any(isinstance(source, str) for source in sources):
            return super().generate(sources, beam, verbose, **options)
        if not all(isinstance(source, str) for source in sources):
            raise UserError("sources mixes texts with tensors; expected only one of them, or use hypotheses()")
        return [best.text for best, *_ in self.hypotheses(sources, verbose=verbose, beam=beam, **options)]

    def hypotheses(self, sources: Any, *, verbose: bool = False, **options: Any) -> Any:
        """The ``nbest`` hypotheses for each source, best first, or those of a single text; see :meth:`search`."""
        if isinstance(sources, str):
            return self.hypotheses([sources], verbose=verbose, **options)[0]
        sources = text_items(sources, "sources")
        found = tqdm(self.search(sources, **options), total=len(sources), unit=" lines", disable=not verbose)
        return [hypotheses for _, hypotheses in sorted(found, key=lambda one: one[0])]

    def search(
        self, sources: Iterable[Text], *, phrases: Optional[Iterable[Iterable[Text]]] = None, **options: Any
    ) -> Iterator[Tuple[int, List[Hypothesis]]]:
        """Searches in batches of similar length, and yields each source's index with its hypotheses as they are found.

        Args:
            sources: texts or their tokens, in a list or anything else that yields them in order.
            phrases: for each source, those that its output must contain (``constraints="unordered"``: in any order).
            **options: fairseq's search options (``beam``, ``nbest``, ``max_len_b``, ``lenpen``, ``sampling``, ...)
                and the plugin's (``length_penalty_type``).

        Raises:
            UserError: an option does not exist, or cannot be combined with another; an item is no text, or the numbers
                of sources and phrases differ.
        """
        sources = text_items(sources, "sources")
        if phrases is not None:
            options.setdefault("constraints", "ordered")
        generator, nbest = self.generator(**options), options.get("nbest", self.cfg.generation.nbest)
        constraints = None if phrases is None else self.packed(phrases, len(sources))
        dataset = self.task.build_dataset_for_inference(*self.lines(sources), constraints=constraints)
        for place, found in self.infer(generator, dataset):
            yield place, [self.hypothesis(one, source=sources[place]) for one in found[:nbest]]

    def score(self, sources: Any, targets: Any) -> Any:
        """Scores each target as the output for its source: one :class:`Hypothesis` each.

        The score is the mean log-probability of the tokens, the end token included, as in a search with the default
        length penalty. Texts that are too long for the model are cut, as in training.

        Args:
            sources, targets: equally many texts, or their tokens; or a single text each.

        Raises:
            UserError: the numbers of sources and targets differ, or an item is no text.
        """
        if isinstance(sources, str) and isinstance(targets, str):
            return self.score([sources], [targets])[0]
        sources, targets = text_items(sources, "sources"), text_items(targets, "targets")
        if len(sources) != len(targets):
            raise UserError(f"{len(sources):,} sources but {len(targets):,} targets; expected one target per source")
        dataset = self.task.pairs(*(ListDataset(*self.lines(side)) for side in (sources, targets)), training=False)
        scorer = self.task.build_generator(self.models, changed(self.cfg.generation, {"score_reference": True}))
        scored = sorted(self.infer(scorer, dataset), key=lambda one: one[0])
        return [self.hypothesis(found[0]) for _, found in scored]

    def sample(self, sentences: Any, beam: int = 1, verbose: bool = False, **options: Any) -> Any:
        """fairseq's method for texts, or a single one; ``translate`` calls it, too.

        Raises:
            UserError: an item is no text.
        """
        sentences = sentences if isinstance(sentences, str) else text_items(sentences, "sentences")
        return super().sample(sentences, beam, verbose, **options)

    def encode(self, sentence: str) -> Tensor:
        """The tokens of a single text, with an end token, int64 [T]; raises UserError for anything else."""
        check_text(sentence, "sentence")
        return super().encode(sentence)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens [T], without special tokens; raises UserError for a text, or what is no number."""
        if isinstance(tokens, str) or (torch.is_tensor(tokens) and tokens.is_floating_point()):
            raise UserError(f"tokens is of type {type(tokens).__name__}, expected ids of the dictionary")
        return super().decode(tokens)

    def generator(self, **options: Any) -> Any:
        """The generator for these search options."""
        check_names(options, known=(*OF_FAIRSEQ, *OF_PLUGIN))
        task = copy.copy(self.task)
        task.cfg = changed(task.cfg, {name: options[name] for name in options if name in OF_PLUGIN})
        of_fairseq = {name: options[name] for name in options if name in OF_FAIRSEQ}
        return task.build_generator(self.models, changed(self.cfg.generation, of_fairseq))

    def infer(self, generator: Any, dataset: FairseqDataset) -> Iterator[Tuple[int, List[Dict[str, Any]]]]:
        """The index of every line, with the result of fairseq's generator for it, batch by batch."""
        if not len(dataset):
            return
        batches = self.task.get_batch_iterator(
            dataset,
            max_tokens=self.cfg.dataset.max_tokens,
            max_sentences=self.cfg.dataset.batch_size,
            max_positions=self.max_positions,
            disable_iterator_cache=True,
        )
        for rows in batches.frozen_batches:  # a torch DataLoader would draw from the global random generator
            batch = batches.collate_fn([dataset[row] for row in rows])
            sample = utils.apply_to_sample(lambda tensor: tensor.to(self.device), batch)
            found = self.task.inference_step(generator, self.models, sample, constraints=sample.get("constraints"))
            yield from zip(batch["id"].tolist(), found)

    def lines(self, texts: Sequence[Text]) -> Tuple[List[Tensor], List[int]]:
        """The tokens of each text, with an end token, and their lengths."""
        pieces = iter(self.split([text for text in texts if isinstance(text, str)]))
        tokens = [self.binarize(next(pieces)) if isinstance(text, str) else text for text in texts]
        return tokens, [len(line) for line in tokens]

    def split(self, texts: Sequence[str]) -> List[str]:
        """Tokenizes texts into pieces separated by spaces; the plugin's tokenizers take all lines at once."""
        if hasattr(self.bpe, "encode_lines"):
            return self.bpe.encode_lines([self.tokenize(text) for text in texts])
        return [self.apply_bpe(self.tokenize(text)) for text in texts]

    def packed(self, phrases: Iterable[Iterable[Text]], count: int) -> Tensor:
        """The phrases for ``count`` sources in the format of fairseq's constrained search, without their end tokens.

        Raises:
            UserError: there are more or fewer, or one is no text.
        """
        of_sources = [text_items(group, f"phrases[{place}]") for place, group in enumerate(phrases)]
        if len(of_sources) != count:
            raise UserError(f"{len(of_sources):,} lists of phrases for {count:,} sources; expected one per source")
        return pack_constraints([[line[:-1] for line in self.lines(group)[0]] for group in of_sources])

    def hypothesis(self, found: Dict[str, Any], *, source: Optional[Text] = None) -> Hypothesis:
        """Converts one result of fairseq's generators; its text is spaced like the source, if that is a text."""
        tokens = found["tokens"].cpu()
        scores = found["positional_scores"].float().cpu()
        text = self.decode(tokens)
        if isinstance(source, str) and getattr(self.bpe, "restores_spacing", False):
            text = spaced_like(text, source)
        return Hypothesis(text, float(found["score"]), tokens, scores)

    def _apply(self, move: Any, *args: Any, **options: Any) -> "S2SModel":
        """What ``to``, ``cuda`` and ``half`` call; 8-bit weights stay on the CPU."""
        if str(self.cfg.task.inference_precision) == "int8" and move(torch.empty(0)).device.type != "cpu":
            raise UserError("inference_precision int8 works on a CPU only; use bfloat16 or float32 on a GPU")
        return super()._apply(move, *args, **options)


def restored(kind: Type[S2SModel], state: bytes) -> S2SModel:
    """The inverse of ``S2SModel.__reduce__``."""
    model = kind.__new__(kind)
    model.__setstate__(pickle.loads(state))
    return model
