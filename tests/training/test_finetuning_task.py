"""The fine-tuning task as fairseq sets it up, without a command."""

from pathlib import Path
from typing import Dict, Sequence

import pytest
from builders import VOCABULARY

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.text.dictionary import PretrainedDictionary
from s2sft_fairseq.training.finetuning_options import TaskOptions
from s2sft_fairseq.training.finetuning_task import S2SFTTask

LONGER = PretrainedDictionary([*VOCABULARY.symbols, "one more"])


def set_up(folder: Path, *shards: Dict[str, PretrainedDictionary]) -> S2SFTTask:
    """A task over folders with these vocabularies of source and target."""
    paths: Sequence[Path] = [folder / str(number) for number in range(len(shards))]
    for path, dictionaries in zip(paths, shards):
        path.mkdir()
        for language, dictionary in dictionaries.items():
            dictionary.save(str(path / f"dict.{language}.txt"))
    return S2SFTTask.setup_task(TaskOptions(data=":".join(map(str, paths)), source_lang="a", target_lang="b"))


def test_all_folders_and_both_sides_share_a_vocabulary(tmp_path: Path) -> None:
    sides = {"a": VOCABULARY, "b": VOCABULARY}
    task = set_up(tmp_path, sides, sides, {"a": VOCABULARY})  # the last as fairseq-preprocess --only-source makes it
    assert task.dictionary.symbols == VOCABULARY.symbols


def test_sides_of_different_vocabularies(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="0: source and target were binarized with different vocabularies"):
        set_up(tmp_path, {"a": VOCABULARY, "b": LONGER})


def test_folders_of_different_vocabularies(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"1 was binarized with a different vocabulary than .*0; run fairseq-preprocess"
    ):
        set_up(tmp_path, {"a": VOCABULARY, "b": VOCABULARY}, {"a": LONGER, "b": LONGER})
