"""UniLMv2's pseudo-masked language model: Figure 5, slots by hand, what is seen of what, and the five objectives."""

from typing import Any, List, Tuple

import numpy as np
import pytest
import torch
from builders import MASK, PAD, objective, random_model
from chance import rng
from leaks import hidden_states
from pretraining_objectives import pretraining, rows, small_data, text_pair

from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.objectives.packed_batch import PackedBatch
from s2sft_fairseq.objectives.pretraining.masked_texts import FramedPair
from s2sft_fairseq.objectives.pretraining.unilmv2 import PMLM, Order
from s2sft_fairseq.objectives.slots import IGNORE, Blocks, Slots
from s2sft_fairseq.objectives.visibility import visible

OBJECTIVES = ("ae_par", "ae_ar", "ae", "par", "ar")


def pmlm(**options: Any) -> PMLM:
    made = pretraining("pmlm", **options)
    assert isinstance(made, PMLM)
    return made


def six_words() -> FramedPair:
    """The example of the paper, x1 … x6, without special tokens."""
    return FramedPair(text_pair(6, 0).first, 6, np.ones(6, dtype=bool))


def laid_out(order: Order, **options: Any) -> Blocks:
    """The paper's example, its masked places (from 0) in the order of prediction."""
    made_by = pmlm(**options)
    framed = six_words()
    return made_by.lay_out(framed, order, torch.full_like(framed.token, MASK))


def drawn(order: Tuple[Tuple[str, ...], ...]) -> List[str]:
    """Rows of a picture."""
    return ["".join(row) for row in order]


ORDER: Order = [[3, 4], [1]]


class TestFigure5:
    """x4 and x5 are predicted first, then x2."""

    def test_slots(self) -> None:
        blocks = laid_out(ORDER)
        words = rows(six_words().token.unsqueeze(0))
        assert rows(blocks.source.token) == [words[0], MASK, words[2], MASK, MASK, words[5]]
        assert rows(blocks.source.label) == [IGNORE, words[1], IGNORE, words[3], words[4], IGNORE]
        assert rows(blocks.target.token) == [words[3], words[4]] and rows(blocks.target.step) == [1, 1]
        assert rows(blocks.target.position) == [3, 4] and set(rows(blocks.target.label)) == {IGNORE}
        assert rows(blocks.query.position) == [3, 4, 1] and rows(blocks.query.step) == [1, 1, 2]
        assert rows(blocks.query.group) == [1, 1, 2] and rows(blocks.query.label) == [words[3], words[4], words[1]]

    def test_who_sees_whom(self) -> None:
        """Columns: the text with its masks, x4 x5, then the pseudo masks P4 P5 P2; the paper's x2 is seen by none."""
        packed = laid_out(ORDER).packed()
        seen = ["".join("1" if sees else "." for sees in row) for row in visible(packed, packed)[0].tolist()]
        text, block = ["111111....."] * 6, ["11111111..."] * 2
        assert seen == [*text, *block, "111111..11.", "111111..11.", "11111111..1"]


class TestObjectives:
    def blocks(self, name: str, seed: int = 3, **options: Any) -> Blocks:
        return pmlm(pmlm_objective=name, **options).train(text_pair(12, 14), rng(seed)).blocks

    def predicted(self, blocks: Blocks) -> Tuple[List[int], List[int]]:
        """Places predicted at masks, and at pseudo masks."""
        of_masks = blocks.source.position[blocks.source.label.ne(IGNORE)]
        return sorted(of_masks.tolist()), sorted(rows(blocks.query.position))

    def test_all_mask_the_same_places(self) -> None:
        both = {tuple(places) for name in OBJECTIVES for places in self.predicted(self.blocks(name)) if places}
        assert len(both) == 1

    @pytest.mark.parametrize("name", OBJECTIVES)
    def test_what_is_predicted_where(self, name: str) -> None:
        at_masks, at_pseudo_masks = self.predicted(self.blocks(name))
        assert bool(at_masks) == ("ae" in name) and bool(at_pseudo_masks) == (name != "ae")
        assert not (blocks := self.blocks(name)).target.token.numel() or name != "ae"
        assert blocks.source.token.size(1) == 12 + 14 + 3

    def test_token_by_token(self) -> None:
        """A step for each token, in another order than that of the blocks."""
        steps = rows(self.blocks("ar").query.step)
        assert sorted(steps) == list(range(1, len(steps) + 1))
        block_wise, token_wise = self.blocks("par").query, self.blocks("ar").query
        assert rows(block_wise.position) != rows(token_wise.position)

    def test_ar_is_par_with_blocks_of_one(self) -> None:
        order = [[3], [1], [4]]
        for one, other in zip(laid_out(order, pmlm_objective="ar"), laid_out(order, pmlm_objective="par")):
            assert all(ours.equal(theirs) for ours, theirs in zip(one, other))

    def test_single_tokens(self) -> None:
        steps = rows(self.blocks("par", no_blocks=True).query.step)
        assert sorted(steps) == list(range(1, len(steps) + 1))

    def test_masks_may_be_left_out(self) -> None:
        with_masks, without = self.blocks("par"), self.blocks("par", pmlm_mask_context="no")
        left = set(rows(with_masks.source.position)) - set(rows(without.source.position))
        assert left == set(rows(without.query.position))

    def test_what_stands_at_pseudo_masks(self) -> None:
        """The same replacement as at the mask, or always a mask."""
        for seed in range(20):
            blocks = self.blocks("ae_par", seed)
            at = dict(zip(rows(blocks.source.position), rows(blocks.source.token)))
            assert rows(blocks.query.token) == [at[place] for place in rows(blocks.query.position)]
            assert set(rows(self.blocks("ae_par", seed, pseudo_mask_token="mask").query.token)) == {MASK}

    def test_the_loss_is_the_sum_of_both(self) -> None:
        """AE+PAR on the same draws, to 1e-6; its sample size is the number of masked tokens."""
        model = random_model("pseudo_masked")

        def loss(name: str) -> Tuple[float, float]:
            data = small_data("pmlm", pmlm_objective=name)
            packed = data.collater([data[index] for index in range(len(data))])["packed"]
            with torch.no_grad():
                return float(model(packed=packed, label_smoothing=0.0)[0]), packed.sample_size()

        (both, size), (ae, of_ae), (par, of_par) = map(loss, ("ae_par", "ae", "par"))
        assert size == of_ae == of_par and both == pytest.approx(ae + par, rel=1e-6)

    def test_losses_apart(self) -> None:
        data = small_data("pmlm")
        packed = data.collater([data[index] for index in range(len(data))])["packed"]
        labelled = packed.slots.label.ne(IGNORE)
        assert packed.loss_number.equal(packed.slots.group[labelled].gt(0).long())
        assert data.objective.losses == ("ae", "par") and packed.loss_number.float().mean() == 0.5


def kept(slots: Slots, chosen: torch.Tensor) -> Slots:
    return Slots(*(field[:, chosen] for field in slots))


@pytest.mark.parametrize("seed", range(6))
class TestOnePass:
    """One pass over all factorization steps is what a pass for each of them would be."""

    def made(self, seed: int) -> Tuple[Any, Slots, int]:
        blocks = pmlm().train(text_pair(9, 8, seed=seed), rng(seed)).blocks
        return random_model("pseudo_masked", seed=seed), blocks.packed(), blocks.source.token.size(1)

    def test_deletion(self, seed: int) -> None:
        """Without later steps and all other queries, the queries of a step predict the same."""
        model, packed, source_length = self.made(seed)
        whole = hidden_states(model, (packed, source_length))[0]
        for step in packed.group[0].unique()[1:]:
            group = packed.group[0]
            left = (group == step) | ((group == 0) & (packed.step[0] < step))
            alone = hidden_states(model, (kept(packed, left), source_length))[0]
            torch.testing.assert_close(alone[group[left] == step], whole[group == step], atol=1e-9, rtol=0)

    def test_no_answer_is_seen(self, seed: int) -> None:
        """Another token at an original changes nothing of its own step or before, bit for bit."""
        model, packed, source_length = self.made(seed)
        before = hidden_states(model, (packed, source_length))[0]
        originals = range(source_length, source_length + int((packed.group[0, source_length:] == 0).sum()))
        for column in originals:
            token = packed.token.clone()
            token[0, column] = MASK
            after = hidden_states(model, (packed._replace(token=token), source_length))[0]
            step = packed.step[0, column]
            early = (packed.step[0] < step) | ((packed.step[0] == step) & (packed.group[0] > 0))
            assert after[early].equal(before[early]) and early.sum() > source_length

    def test_no_answer_leaks(self, seed: int) -> None:
        """The gradient of a prediction is 0 at every slot outside of its cone of sight."""
        model, packed, source_length = self.made(seed)
        attend = model.full_pass(packed, source_length)
        embedded: List[torch.Tensor] = []
        hook = model.transformer.embeddings.register_forward_hook(lambda *args: embedded.append(args[-1]))
        embeddings_kept = model.transformer(attend)
        hook.remove()
        sight = (visible(packed, packed)[0] | torch.eye(packed.token.size(1), dtype=torch.bool)).double()
        cone = torch.linalg.matrix_power(sight, model.cfg.encoder_layers).gt(0)
        for row in packed.label[0].ne(IGNORE).nonzero().flatten().tolist():
            (gradient,) = torch.autograd.grad(embeddings_kept[row].sum(), embedded[0], retain_graph=True)
            assert gradient[~cone[row]].eq(0).all() and gradient[cone[row]].ne(0).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pmlm_mask_context": "no"}, "--pmlm-mask-context no: --pmlm-objective ae_par predicts at the masks"),
        ({"pmlm_objective": "ae", "pmlm_mask_context": "no"}, "--pmlm-objective ae predicts at the masks"),
        ({"pmlm_objective": "ae", "pseudo_mask_token": "mask"}, "--pmlm-objective ae has no pseudo masks"),
    ],
    ids=str,
)
def test_options_without_effect(options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pmlm(**options)


def test_short_texts_have_a_mask() -> None:
    for size in range(1, 9):
        made = pmlm().train(text_pair(size, 0), rng(size)).blocks
        assert made.query.token.numel() >= 1
        batch = PackedBatch.from_examples([made], pad=PAD)
        assert batch.slots.token.size(1) >= size + 3


def test_the_layout_is_that_of_the_method() -> None:
    assert pmlm().layout == objective("pseudo_masked").layout
