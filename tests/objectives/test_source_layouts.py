"""Sources in parts: segments and turns as ERNIE-GEN's released code gives them, what gives way, and mistakes."""

from typing import List, NamedTuple, Optional, Tuple

import numpy as np
import pytest
import torch
from builders import CLS, METHODS, SEP, VOCABULARY, framed, framed_text, ids, random_model, random_words, text
from fairseq.data import ListDataset
from step_search import Search
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.data.multi_part_sources import in_parts
from s2sft_fairseq.data.pair_dataset import FramedText
from s2sft_fairseq.models.options import ModelOptions, complete
from s2sft_fairseq.models.seq2seq_model import S2SFTModel
from s2sft_fairseq.objectives.finetuning import OBJECTIVES, FinetuningObjective
from s2sft_fairseq.objectives.slots import PredictionLayout, source_slots
from s2sft_fairseq.objectives.source_layouts import LAYOUTS, TableSizes

ROLES = dict(source=1, target=0)
"""As in the dialogue weights of ERNIE-GEN."""

PARTED = [layout for layout in LAYOUTS if layout != "plain"]


def parted(
    layout: str, method: str = "infilling", *, source: int = 1, target: int = 0, **noise: float
) -> FinetuningObjective:
    """A method whose sources have parts."""
    options = OBJECTIVES[method].options_class(**noise)
    return OBJECTIVES[method](VOCABULARY, LAYOUTS[layout](source, target), options)


def marks(layout: PredictionLayout, *sources: Tensor) -> List[Tuple[List[int], List[int]]]:
    """Segments and turns of the tokens of each source, laid out together."""
    batch = pad_sequence(list(sources), batch_first=True, padding_value=layout.pad)
    slots = source_slots(batch, layout)
    return [
        (slots.segment[row, : len(source)].tolist(), slots.turn[row, : len(source)].tolist())
        for row, source in enumerate(sources)
    ]


class Read(NamedTuple):
    """A dialogue as the released code reads it: tokens, roles and turns, one each."""

    tokens: List[int]
    roles: List[int]
    turns: List[int]


def published(utterances: List[Tensor], knowledge: Optional[Tensor] = None) -> Read:
    """Written anew after the reader of ERNIE-GEN (reference code of 003), role 2 and turn 0 for knowledge."""
    turn = len(utterances)
    read = Read([CLS], [turn % 2], [turn])
    if knowledge is not None:
        for token in [*knowledge.tolist(), SEP]:
            for column, value in zip(read, (token, 2, 0)):
                column.append(value)
    for utterance in utterances:
        for token in [*utterance.tolist(), SEP]:
            for column, value in zip(read, (token, turn % 2, turn)):
                column.append(value)
        turn -= 1
    return read


def random_utterances(seed: int, *, longest: int = 6) -> List[Tensor]:
    """Utterances of any length, 0 among them."""
    rng = np.random.default_rng(seed)
    return [random_words(rng, int(length)) for length in rng.integers(4, size=rng.integers(1, longest + 1))]


class TestMarks:
    @pytest.mark.parametrize(
        ("layout", "segments", "turns"),
        [
            ("plain", "1 1 1 1 1 1 1 1 1 1", "0 0 0 0 0 0 0 0 0 0"),
            ("columns", "1 1 1 1 2 2 3 4 4 4", "0 0 0 0 0 0 0 0 0 0"),
            ("dialogue", "0 0 0 0 1 1 0 1 1 1", "4 4 4 4 3 3 2 1 1 1"),
            ("grounded_dialogue", "1 2 2 2 1 1 0 1 1 1", "3 0 0 0 3 3 2 1 1 1"),
        ],
    )
    def test_by_hand(self, layout: str, segments: str, turns: str) -> None:
        """Four parts, the third one empty."""
        source = ids("[CLS] w0 w1 [SEP] w2 [SEP] [SEP] w3 w4 [SEP]")
        expected = [int(s) for s in segments.split()], [int(t) for t in turns.split()]
        assert marks(parted(layout).layout, source) == [expected]

    @pytest.mark.parametrize("grounded", [False, True])
    def test_dialogues_as_published(self, grounded: bool) -> None:
        """Side by side in one batch, of one to six utterances."""
        reads = [
            published(
                random_utterances(seed), random_words(np.random.default_rng(seed), seed % 4) if grounded else None
            )
            for seed in range(20)
        ]
        layout = parted("grounded_dialogue" if grounded else "dialogue").layout
        found = marks(layout, *(torch.tensor(read.tokens) for read in reads))
        assert found == [(read.roles, read.turns) for read in reads]

    @pytest.mark.parametrize("layout", PARTED)
    def test_a_source_without_its_last_end(self, layout: str) -> None:
        """The target of the causal method begins with it instead; what comes before is marked as ever."""
        source = ids("[CLS] w0 [SEP] w1 w2 [SEP] w3")
        whole = marks(parted(layout).layout, torch.cat([source, ids("[SEP]")]))[0]
        assert marks(parted(layout, "causal").layout, source) == [tuple(column[:-1] for column in whole)]

    def test_one_utterance_is_a_plain_source_of_the_dialogue_weights(self) -> None:
        source = ids("[CLS] w0 w1 [SEP]")
        plain = OBJECTIVES["infilling"](VOCABULARY, LAYOUTS["plain"](1, 0, 1), OBJECTIVES["infilling"].options_class())
        assert marks(parted("dialogue").layout, source) == marks(plain.layout, source)

    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("method", METHODS)
    def test_the_target_is_turn_0(self, method: str, layout: str) -> None:
        """In the segment of the target."""
        made_by = parted(layout, method, source=1, target=3)
        source = ids("[CLS] w0 [SEP] w1 [SEP]" if made_by.layout.source_end else "[CLS] w0 [SEP] w1")
        _, known, query = made_by.evaluate(source, ids("w2 w3 [SEP]"))
        for slots in (known, query):
            assert slots.turn.eq(0).all() and slots.segment.eq(3).all()

    @pytest.mark.parametrize("method", METHODS)
    def test_noise_leaves_the_parts_alone(self, method: str) -> None:
        made_by = parted("dialogue", method, source_mask_prob=1.0, mask_keep_prob=0.0)
        source = ids("[CLS] w0 [SEP] w1 w2 [SEP] w3")
        noised = made_by.train(source, ids("w2 [SEP]"), np.random.default_rng(0)).source
        assert noised.token[0].eq(SEP).equal(source.eq(SEP)) and not noised.token[0, 4].eq(source[4])


def cut(layout: str, line: str, *, max_length: int, max_parts: Optional[int] = None) -> str:
    """What is left of a text."""
    return text(LAYOUTS[layout](**ROLES).cut(ids(line), end=SEP, max_length=max_length, max_parts=max_parts))


class TestCutting:
    TALK = "w0 w1 [SEP] w2 [SEP] w3 w4 w5"

    @pytest.mark.parametrize(
        ("max_length", "max_parts", "left"),
        [
            (8, None, TALK),
            (7, None, "w1 [SEP] w2 [SEP] w3 w4 w5"),
            (6, None, "[SEP] w2 [SEP] w3 w4 w5"),
            (3, None, "w3 w4 w5"),
            (1, None, "w5"),
            (8, 3, TALK),
            (8, 2, "w2 [SEP] w3 w4 w5"),
            (4, 2, "[SEP] w3 w4 w5"),
            (8, 1, "w3 w4 w5"),
        ],
    )
    def test_the_oldest_utterances_give_way(self, max_length: int, max_parts: Optional[int], left: str) -> None:
        assert cut("dialogue", self.TALK, max_length=max_length, max_parts=max_parts) == left

    @pytest.mark.parametrize(
        ("max_length", "max_parts", "left"),
        [
            (11, None, f"k0 k1 [SEP] {TALK}"),
            (10, None, f"k1 [SEP] {TALK}"),
            (9, None, f"[SEP] {TALK}"),
            (8, None, "[SEP] w1 [SEP] w2 [SEP] w3 w4 w5"),
            (4, None, "[SEP] w3 w4 w5"),
            (2, None, "[SEP] w5"),
            (11, 4, f"k0 k1 [SEP] {TALK}"),
            (11, 3, "k0 k1 [SEP] w2 [SEP] w3 w4 w5"),
            (7, 3, "k1 [SEP] w2 [SEP] w3 w4 w5"),
            (11, 2, "k0 k1 [SEP] w3 w4 w5"),
        ],
    )
    def test_knowledge_gives_way_first(self, max_length: int, max_parts: Optional[int], left: str) -> None:
        """Its end token stays, so that no utterance is taken for knowledge; old turns leave from behind it."""
        line = f"k0 k1 [SEP] {self.TALK}".replace("k", "w3")
        assert cut("grounded_dialogue", line, max_length=max_length, max_parts=max_parts) == left.replace("k", "w3")

    @pytest.mark.parametrize("layout", ["plain", "columns"])
    def test_others_lose_their_tail_when_they_are_framed(self, layout: str) -> None:
        assert cut(layout, self.TALK, max_length=3) == self.TALK

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("name", ["dialogue", "grounded_dialogue"])
    def test_framed_sources(self, method: str, name: str) -> None:
        """As the task reads them: short enough, of the length that was told, the last turns marked as if not cut."""
        layout, max_parts, longest = parted(name, method).layout, 4, 12
        talks = [published(random_utterances(seed, longest=9), ids("w1 w2")) for seed in range(40)]
        lines = [torch.tensor(talk.tokens[1:]) for talk in talks]
        binarized = ListDataset(lines, np.array([len(line) for line in lines]))
        end = SEP if layout.source_end else None
        whole = framed_text([line[:-1] for line in lines], eos=end)
        kept = framed_text_of(in_parts(binarized, layout, max_parts=max_parts, max_length=longest), end, longest)
        assert kept.sizes.tolist() == [len(source) for source in kept]
        assert max(kept.sizes) == longest and any(kept.sizes < whole.sizes) and kept.cut() == 0
        for before, after in zip(whole, kept):
            assert after[0] == CLS
            start = int(after.eq(SEP).long().argmax()) + 1 if name == "grounded_dialogue" else 1
            dropped = len(before) - len(after)
            assert after[start:].equal(before[start + dropped :])
            (segment, turn), (segment_before, turn_before) = marks(layout, after, before)
            assert max(turn) <= max_parts - (name == "grounded_dialogue")
            assert (segment[start:], turn[start:]) == (
                segment_before[start + dropped :],
                turn_before[start + dropped :],
            )


def framed_text_of(lines: ListDataset, end: Optional[int], longest: int) -> FramedText:
    """Binarized lines as the task frames them."""
    return FramedText(lines, pad=VOCABULARY.pad(), unk=VOCABULARY.unk(), bos=CLS, eos=end, max_length=longest)


def lines_of(*texts: str) -> ListDataset:
    """Binarized lines."""
    lines = [framed(ids(line), end=[SEP]) for line in texts]
    return ListDataset(lines, np.array([len(line) for line in lines]))


class TestMistakes:
    def test_plain_sources_are_not_read(self) -> None:
        lines = lines_of("w1 [SEP] w2")
        assert in_parts(lines, parted("plain").layout, max_parts=None, max_length=2) is lines

    @pytest.mark.parametrize("name", PARTED)
    @pytest.mark.parametrize("cutting", [True, False])
    def test_too_many_parts(self, name: str, cutting: bool) -> None:
        """Columns are never left out; utterances only if sources may be cut."""
        lines, layout = lines_of("w1 [SEP] w2", "w1 [SEP] [SEP] w3"), parted(name).layout
        length = 10 if cutting else None
        if cutting and layout.segments.drops_oldest:
            assert (in_parts(lines, layout, max_parts=2, max_length=length).sizes <= lines.sizes).all()
            return
        with pytest.raises(UserError, match=r"source 2: number of parts .* is 3; expected at most 2"):
            in_parts(lines, layout, max_parts=2, max_length=length)

    def test_no_dialogue_behind_the_knowledge(self) -> None:
        with pytest.raises(
            UserError, match=r"source 2: number of parts \(knowledge and utterances\) is 1; expected at least 2"
        ):
            in_parts(lines_of("[SEP] w1", "w1"), parted("grounded_dialogue").layout, max_parts=None, max_length=None)

    @pytest.mark.parametrize(
        ("layout", "options", "message"),
        [
            ("columns", {}, "two columns need segments 0 and 1; found --target-type-id 1 and --type-vocab-size 2"),
            ("columns", {"type_vocab_size": 0}, "two columns need segments"),
            ("columns", {"type_vocab_size": 0, "target_type_id": 3}, "--type-vocab-size 0, expected both to be higher"),
            ("columns", {"source_type_id": 1, "target_type_id": 0}, "two columns need segments 1 and 2"),
            ("dialogue", {"type_vocab_size": 0}, "the model has neither"),
            ("dialogue", {"turn_rows": 1}, "--turn-rows is 1; expected at least 2"),
            ("grounded_dialogue", {}, "gives knowledge segment 2; expected --type-vocab-size of at least 3, found 2"),
            ("grounded_dialogue", {"type_vocab_size": 0}, "the model has neither"),
        ],
    )
    def test_tables_that_are_too_small(self, layout: str, options: dict, message: str) -> None:
        with pytest.raises(UserError, match=message):
            checked(layout, **options)

    @pytest.mark.parametrize(
        ("layout", "options", "max_parts"),
        [
            ("plain", {}, None),
            ("columns", {"type_vocab_size": 4, "target_type_id": 3}, 3),
            ("columns", {"type_vocab_size": 4, "source_type_id": 1, "target_type_id": 0}, 3),
            ("dialogue", {}, None),
            ("dialogue", {"turn_rows": 16}, 15),
            ("dialogue", {"turn_rows": 16, "type_vocab_size": 0}, 15),
            ("grounded_dialogue", {"turn_rows": 16, "type_vocab_size": 3}, 16),
            ("grounded_dialogue", {"turn_rows": 16, "type_vocab_size": 0}, 16),
            ("grounded_dialogue", {"type_vocab_size": 3}, None),
        ],
    )
    def test_what_tables_have_room_for(self, layout: str, options: dict, max_parts: Optional[int]) -> None:
        cfg = checked(layout, **options)
        segments = LAYOUTS[layout](int(cfg.source_type_id), int(cfg.target_type_id))
        assert segments.max_parts(TableSizes(int(cfg.type_vocab_size), cfg.turn_rows)) == max_parts


def checked(layout: str, **options: int) -> ModelOptions:
    """Options of a model, if it can have them."""
    return complete(ModelOptions(source_layout=layout, **options), {})


class DialogueSearch(Search):
    """A search over dialogues."""

    def sources(self, *, sentences: int, seed: int) -> Tensor:
        reads = [published(random_utterances(seed * sentences + number), ids("w1")) for number in range(sentences)]
        stop = None if self.model.layout.source_end else -1
        return pad_sequence(
            [torch.tensor(read.tokens[:stop]) for read in reads],
            batch_first=True,
            padding_value=self.model.layout.pad,
        )


def model_of(layout: str, method: str, *, seed: int = 0) -> S2SFTModel:
    """A random model of the layout, with rows for all that the tests say."""
    model = random_model(method, seed=seed, type_vocab_size=12, turn_rows=12)
    model.layout = parted(layout, method).layout
    return model


@pytest.mark.parametrize("layout", PARTED)
@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_cached_steps_equal_teacher_forcing(method: str, layout: str) -> None:
    search = DialogueSearch(model_of(layout, method), sentences=4, seed=1)
    for finished in [(), (1,), (), (0,), ()]:
        torch.testing.assert_close(search.step(), search.teacher_forced(), atol=1e-5, rtol=0)
        search.choose_beams(finished)
        search.append()


@pytest.mark.parametrize("layout", PARTED)
@pytest.mark.parametrize("method", METHODS)
@torch.no_grad()
def test_batch_of_one_equals_batch_of_many(method: str, layout: str) -> None:
    """Turns are counted from each sentence's own end, not that of the longest."""
    model = model_of(layout, method)
    sources = DialogueSearch(model, sentences=5, seed=2).source
    previous = torch.tensor([[SEP, *ids("w3 w4")]])
    together, _ = model(sources, None, previous.expand(5, -1))
    for source, expected in zip(sources, together):
        alone, _ = model(source[source.ne(model.layout.pad)][None], None, previous)
        torch.testing.assert_close(alone[0], expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("layout", PARTED)
@torch.no_grad()
def test_parts_matter(layout: str) -> None:
    """The same tokens, read as one part, are scored otherwise."""
    model = model_of(layout, "infilling")
    source, previous = ids("[CLS] w1 [SEP] w2 [SEP]")[None], ids("[SEP] w3")[None]
    one, _ = model(source, None, previous)
    model.layout = parted("plain").layout
    other, _ = model(source, None, previous)
    assert (one - other).abs().max() > 1e-3
