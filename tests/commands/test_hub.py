"""S2SModel: a checkpoint alone in Python; text in and out, scores that are the search's, fairseq's hub interface."""

import copy
import multiprocessing
import pickle
import shutil
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from commands import SPECIAL, WORDS, make_bert, random_lines, run, train_command, write_lines
from fairseq.hub_utils import GeneratorHubInterface
from methods import METHODS

from s2sft_fairseq import S2SModel, import_pretrained
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.text.checkpoint_vocabulary import KEY

SOURCES = ["", *random_lines(30, seed=5, longest=15)]
POSITIONS = ["--max-source-positions", "12", "--max-target-positions", "10"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """A checkpoint of each method alone in a directory, the encoder that it came from gone."""
    folder = tmp_path_factory.mktemp("hub")
    made = {}
    for method in METHODS:
        bert = make_bert(folder / "bert")
        import_pretrained.main(
            ["--from", str(bert), "--to", str(folder / "imported"), "--finetune-method", method, *POSITIONS]
        )
        made[method] = folder / method
        made[method].mkdir()
        shutil.move(folder / "imported" / "model.pt", made[method])
        shutil.rmtree(folder / "imported")
        shutil.rmtree(bert)
    return made


@pytest.fixture(scope="module", params=METHODS)
def model(checkpoints: Dict[str, Path], request: pytest.FixtureRequest) -> S2SModel:
    return S2SModel.from_pretrained(checkpoints[request.param])


class TestSearch:
    def test_text_for_text(self, model: S2SModel) -> None:
        """As fairseq's own hub answers, sentence by sentence."""
        found = model.generate(SOURCES, beam=3)
        assert found == [GeneratorHubInterface.sample(model, [source], beam=3)[0] for source in SOURCES]
        assert len(set(found)) > 5
        assert model.generate(SOURCES[1], beam=3) == found[1]
        assert model.generate([]) == []

    def test_order_and_batches_do_not_matter(self, model: S2SModel, checkpoints: Dict[str, Path]) -> None:
        method = str(model.models[0].cfg.finetune_method)
        alone = S2SModel.from_pretrained(checkpoints[method], batch_size=1)
        together, backwards, one_by_one = (
            m.hypotheses(sources, beam=3, nbest=3)
            for m, sources in ((model, SOURCES), (model, SOURCES[::-1]), (alone, SOURCES))
        )
        for other in (backwards[::-1], one_by_one):
            assert [[h.text for h in n] for n in other] == [[h.text for h in n] for n in together]
            for here, there in zip(together, other):
                assert [h.score for h in here] == pytest.approx([h.score for h in there], abs=1e-5)

    @pytest.mark.parametrize("beam", [1, 4])
    def test_scoring_what_was_found_gives_its_score(self, model: S2SModel, beam: int) -> None:
        found = model.hypotheses(SOURCES, beam=beam, nbest=beam)
        rows = [(source, one) for source, of_source in zip(SOURCES, found) for one in of_source]
        assert len(rows) == beam * len(SOURCES)
        scored = model.score([source for source, _ in rows], [one.tokens for _, one in rows])
        for (_, one), again in zip(rows, scored):
            assert again.text == one.text and again.tokens.equal(one.tokens)
            assert again.score == pytest.approx(one.score, abs=1e-5)
            torch.testing.assert_close(again.token_scores, one.token_scores, atol=1e-5, rtol=0)
            assert one.score == pytest.approx(one.log_probability / len(one.tokens), abs=1e-5)

    def test_scores_are_those_of_the_model(self, model: S2SModel) -> None:
        """log p of every token, in one pass over the whole."""
        source, target = model.encode("w1 w2 w3"), model.encode("w4 w5")
        framed = torch.cat([torch.tensor([model.src_dict.bos()]), source])
        if not model.models[0].layout.source_end:
            framed = framed[:-1]
        with torch.no_grad():
            logits, _ = model.models[0](framed[None], None, target.roll(1)[None])
        expected = logits.log_softmax(dim=-1)[0].gather(1, target[:, None])[:, 0]
        scored = model.score("w1 w2 w3", "w4 w5")
        torch.testing.assert_close(scored.token_scores, expected, atol=1e-5, rtol=0)
        assert scored.log_probability == pytest.approx(float(expected.sum()), abs=1e-4)

    def test_options_of_one_call(self, model: S2SModel) -> None:
        """They hold for that call alone."""
        before = model.generate(SOURCES)
        assert all(len(text.split()) <= 2 for text in model.generate(SOURCES, max_len_b=2))
        gnmt = model.hypotheses(SOURCES, length_penalty_type="gnmt", lenpen=0.7)
        for (one,) in gnmt:
            factor = ((5 + len(one.tokens)) / 6) ** 0.7
            assert one.score == pytest.approx(one.log_probability / factor, abs=1e-4)
        assert model.generate(SOURCES) == before

    def test_phrases(self, model: S2SModel) -> None:
        wanted = [["w9"], ["w8 w7"], []]
        found = model.generate(SOURCES[1:4], phrases=wanted, beam=10)
        assert "w9" in found[0].split() and "w8 w7" in found[1]

    def test_sampling_follows_the_seed(self, model: S2SModel) -> None:
        def sample(seed: int) -> List[str]:
            torch.manual_seed(seed)
            return model.generate(SOURCES, beam=1, sampling=True)

        assert sample(1) == sample(1) != sample(2)


class TestHub:
    """What fairseq's users know goes on working."""

    def test_its_methods(self, checkpoints: Dict[str, Path]) -> None:
        model = S2SModel.from_pretrained(checkpoints["masked"])
        assert isinstance(model, GeneratorHubInterface) and not model.training
        assert model.decode(model.encode("w1 W2 w3")) == "w1 w2 w3"
        assert model.translate(SOURCES, beam=3) == model.generate(SOURCES, beam=3)
        assert model.sample("w1 w2", beam=1) == model.generate("w1 w2", beam=1)
        (best, *_) = model.generate(model.encode("w1 w2"), beam=2)
        assert model.decode(best["tokens"]) == model.generate("w1 w2", beam=2)
        assert model.to("cpu") is model and model.device.type == "cpu"

    @pytest.mark.parametrize("method", METHODS)
    def test_ensemble(self, checkpoints: Dict[str, Path], method: str) -> None:
        one, twice = (S2SModel.from_pretrained(":".join([str(checkpoints[method])] * n)) for n in (1, 2))
        assert len(twice.models) == 2
        assert twice.generate(SOURCES) == one.generate(SOURCES)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("precision", ["int8", "bfloat16"])
    def test_precision(self, checkpoints: Dict[str, Path], method: str, precision: str) -> None:
        exact, rounded = (
            S2SModel.from_pretrained(checkpoints[method], inference_precision=p).score(SOURCES, SOURCES[::-1])
            for p in ("float32", precision)
        )
        errors = [abs(a.score - b.score) for a, b in zip(exact, rounded)]
        assert 0 < max(errors) < 0.5

    def test_int8_stays_on_the_cpu(self, checkpoints: Dict[str, Path]) -> None:
        model = S2SModel.from_pretrained(checkpoints["masked"], inference_precision="int8")
        with pytest.raises(UserError, match="on a CPU only"):
            model.to("meta")

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
    def test_on_a_gpu_and_back(self, model: S2SModel) -> None:
        here = model.score(SOURCES, SOURCES[::-1])
        there = model.to("cuda").score(SOURCES, SOURCES[::-1])
        found = model.hypotheses(SOURCES, beam=3)
        assert model.device.type == "cuda" and all(one.tokens.device.type == "cpu" for (one,) in found)
        model.to("cpu")
        assert [a.score for a in there] == pytest.approx([a.score for a in here], abs=1e-3)
        again = model.score(SOURCES, [one.tokens for (one,) in found])
        assert [a.score for a in again] == pytest.approx([one.score for (one,) in found], abs=1e-3)


class TestTexts:
    """Every method names what is no text; what yields texts in order need not be a list."""

    @pytest.mark.parametrize("method", ["generate", "hypotheses", "search", "sample", "translate", "score"])
    def test_what_is_no_text(self, checkpoints: Dict[str, Path], method: str) -> None:
        model = S2SModel.from_pretrained(checkpoints["masked"])
        others = [["w1", "w2"]] if method == "score" else []
        with pytest.raises(UserError, match="item 1 is nan, expected text"):
            list(getattr(model, method)(["w1", float("nan")], *others))

    def test_what_is_no_target_phrase_or_sentence(self, checkpoints: Dict[str, Path]) -> None:
        model = S2SModel.from_pretrained(checkpoints["masked"])
        for says, call in (
            ("targets: item 0 is None", lambda: model.score(["w1"], [None])),
            ("targets is a single str", lambda: model.score(["w1"], "w2")),
            (r"phrases\[1\] is None", lambda: model.generate(["w1", "w2"], phrases=[["w3"], None])),
            (r"phrases\[0\] is a single str", lambda: model.generate(["w1", "w2"], phrases=["w3", "w4"])),
            ("1 lists of phrases for 2 sources", lambda: model.generate(["w1", "w2"], phrases=[["w3"]])),
            ("sources mixes texts with tensors", lambda: model.generate(["w1", model.encode("w2")])),
            ("sources is a single str", lambda: list(model.search("w1"))),
            ("sentence is of type list", lambda: model.encode(["w1"])),
            ("tokens is of type str", lambda: model.decode("w1")),
        ):
            with pytest.raises(UserError, match=says):
                call()

    def test_whatever_yields_texts(self, checkpoints: Dict[str, Path]) -> None:
        model = S2SModel.from_pretrained(checkpoints["masked"])
        expected, scored = model.generate(SOURCES), model.score(SOURCES, SOURCES[::-1])
        assert model.generate(source for source in SOURCES) == expected
        assert model.generate(np.array(SOURCES)) == expected
        assert model.translate(iter(SOURCES)) == expected
        assert [best.text for best, *_ in model.hypotheses(tuple(SOURCES), beam=5)] == expected
        assert model.hypotheses(SOURCES[1], beam=5)[0].text == expected[1]
        again = model.score(iter(SOURCES), reversed(SOURCES))
        assert [one.score for one in again] == [one.score for one in scored]


class TestTextSide:
    """The dictionary and the encoder of text: from the checkpoint alone, or from where they usually lie."""

    @pytest.fixture
    def bare(self, checkpoints: Dict[str, Path], tmp_path: Path) -> Path:
        """A checkpoint of an older version, which carries no text."""
        state = torch.load(checkpoints["masked"] / "model.pt", weights_only=False)
        state["cfg"]["task"]["data"] = str(tmp_path / "gone")
        del state["task_state"][KEY]
        (tmp_path / "save").mkdir()
        torch.save(state, tmp_path / "save" / "checkpoint_last.pt")
        return tmp_path / "save"

    def test_nothing_is_left_to_say(self, bare: Path) -> None:
        with pytest.raises(UserError, match=r"the model's dictionary .* is not in .*save; copy the dict"):
            S2SModel.from_pretrained(bare)
        write_lines(bare / "dict.src.txt", [f"{token} 1" for token in (*SPECIAL, *WORDS)])
        with pytest.raises(UserError, match=r"the model's tokenizer is neither .* s2s_ft_vocab=DIR"):
            S2SModel.from_pretrained(bare)
        write_lines(bare / "vocab.txt", [*SPECIAL, *reversed(WORDS)])  # another model's
        with pytest.raises(UserError, match="the model's tokenizer is neither in the checkpoint nor in"):
            S2SModel.from_pretrained(bare)

    def test_beside_the_checkpoint_or_given(self, bare: Path, checkpoints: Dict[str, Path], tmp_path: Path) -> None:
        expected = S2SModel.from_pretrained(checkpoints["masked"]).generate(SOURCES)
        vocabulary = write_lines(tmp_path / "given" / "vocab.txt", [*SPECIAL, *WORDS]).parent
        given = S2SModel.from_pretrained(bare, data=str(vocabulary), s2s_ft_vocab=str(vocabulary))
        assert given.generate([source.upper() for source in SOURCES]) == expected
        pieces = S2SModel.from_pretrained(bare, data=str(vocabulary), bpe=None)
        assert pieces.generate(SOURCES) == expected and pieces.encode("W1").tolist() != pieces.encode("w1").tolist()
        shutil.copy(vocabulary / "vocab.txt", bare)
        assert S2SModel.from_pretrained(bare).generate(SOURCES) == expected

    def test_case_travels_with_the_checkpoint(self, tmp_path: Path) -> None:
        bert = make_bert(tmp_path / "bert", [*SPECIAL, *WORDS, "W1"])
        (bert / "tokenizer_config.json").write_text('{"do_lower_case": false}')
        import_pretrained.main(["--from", str(bert), "--to", str(tmp_path / "imported"), *POSITIONS])
        shutil.rmtree(bert)
        alone = shutil.copy(tmp_path / "imported" / "model.pt", tmp_path / "alone.pt")
        model = S2SModel.from_pretrained(alone)
        assert model.split(["W1 w1"]) == ["W1 w1"]


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"beem": 3}, "did you mean 'beam'"),
            ({"beam": "many"}, "generation.beam: .*could not be converted"),
            ({"length_penalty_type": "none"}, r"expected one of \[fairseq, gnmt\]"),
            ({"prefix_size": 1}, "no option 'prefix_size'"),
        ],
    )
    def test_of_one_call(self, checkpoints: Dict[str, Path], options: Dict[str, object], says: str) -> None:
        with pytest.raises(UserError, match=says):
            S2SModel.from_pretrained(checkpoints["masked"]).generate(SOURCES, **options)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"s2s_ft_vocb": "x"}, "did you mean 's2s_ft_vocab'"),
            ({"inference_precision": "int4"}, "expected one of"),
            ({"s2s_ft_vocab": "absent"}, "no vocabulary at absent"),
            ({"data": "absent"}, "the model's dictionary .* is not in"),
        ],
    )
    def test_of_opening(self, checkpoints: Dict[str, Path], options: Dict[str, str], says: str) -> None:
        path = checkpoints["masked"] / "model.pt"
        if "data" in options:
            state = torch.load(path, weights_only=False)
            del state["task_state"][KEY]
            path = checkpoints["masked"].parent / "old.pt"
            torch.save(state, path)
        with pytest.raises(UserError, match=says):
            S2SModel.from_pretrained(path, **options)

    def test_where_no_checkpoint_is(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"has no \*.pt file"):
            S2SModel.from_pretrained(tmp_path)
        with pytest.raises(UserError, match="no file"):
            S2SModel.from_pretrained(tmp_path / "absent.pt")
        for name in ("a.pt", "b.pt"):
            torch.save({"model": {}}, tmp_path / name)
        with pytest.raises(UserError, match=r"has a.pt, b.pt; expected checkpoint_best.pt"):
            S2SModel.from_pretrained(tmp_path)

    def test_scoring_needs_pairs(self, checkpoints: Dict[str, Path]) -> None:
        with pytest.raises(UserError, match="2 sources but 1 targets"):
            S2SModel.from_pretrained(checkpoints["masked"]).score(["w1", "w2"], ["w1"])


def scores_in_a_pool(model: S2SModel) -> List[float]:
    """What a spawned process does with the model that it gets."""
    return [best.score for best, *_ in model.hypotheses(SOURCES, beam=3)]


class TestCopies:
    """Copied, pickled and sent to another process, a model gives the same outputs."""

    @pytest.mark.parametrize("precision", ["float32", "int8", "bfloat16"])
    @pytest.mark.parametrize("count", [1, 2])
    def test_outputs_are_the_same(self, checkpoints: Dict[str, Path], precision: str, count: int) -> None:
        path = ":".join([str(checkpoints["pseudo_masked"])] * count)
        model = S2SModel.from_pretrained(path, inference_precision=precision)
        for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert len(copied.models) == count and not copied.training
            assert scores_in_a_pool(copied) == scores_in_a_pool(model)
            assert copied.generate(SOURCES) == model.generate(SOURCES)
            assert copied.generate(SOURCES, length_penalty_type="gnmt", max_len_b=3)
        with pytest.raises(RuntimeError, match="cannot be trained"):
            model.train()

    @pytest.mark.parametrize("options", [{"lora_rank": 2}, {"adapter_dim": 3}], ids=str)
    def test_adapters(self, data: Path, bert: Path, tmp_path: Path, options: Dict[str, int]) -> None:
        run(train_command(data, tmp_path / "save", pretrained=bert, max_update=2, lr="0.1", **options))
        model = S2SModel.from_pretrained(tmp_path / "save")
        for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert scores_in_a_pool(copied) == scores_in_a_pool(model)

    @pytest.mark.slow
    @pytest.mark.parametrize("library", [multiprocessing, torch.multiprocessing], ids=["python", "torch"])
    def test_a_spawned_process(self, checkpoints: Dict[str, Path], library: Any) -> None:
        model = S2SModel.from_pretrained(checkpoints["masked"])
        with library.get_context("spawn").Pool(1) as pool:
            assert pool.apply(scores_in_a_pool, (model,)) == scores_in_a_pool(model)
