"""fairseq's own commands on the plugin: what goes in comes out, and every search flag does its basic job."""

import random
import re
import shutil
from pathlib import Path
from typing import Dict, List

import pytest
from commands import (
    PLUGIN,
    attempt,
    best,
    flags,
    generate_command,
    hypotheses,
    mistake,
    preprocess_command,
    run,
    train_command,
    weights,
    write_pairs,
)
from methods import METHODS

pytestmark = pytest.mark.slow

TINY = dict(encoder_layers=1, encoder_embed_dim=32, encoder_ffn_embed_dim=64, encoder_attention_heads=4)

MAX_WORDS = 9
"""The most words that a hypothesis can have: the models' --max-target-positions without the end token."""


def interactive(data: Path, checkpoint: object, lines: List[str], **options: object) -> str:
    """What fairseq-interactive prints for these lines."""
    command = ["fairseq-interactive", data, *PLUGIN, "--path", checkpoint, "--cpu", *flags(options)]
    return run(command, stdin="".join(f"{line}\n" for line in lines).encode()).out


def sources(texts: Path) -> List[str]:
    """The source lines of the test split."""
    return (texts / "test.src").read_text().splitlines()


@pytest.fixture(scope="module")
def searched(data: Path, imported: Dict[str, Path]) -> Dict[str, str]:
    """The output of a plain beam search for every method."""
    return {m: run(generate_command(data, imported[m], beam=3, batch_size=16)).out for m in METHODS}


class TestLines:
    """As many lines come out as go in, and always the same."""

    @pytest.mark.parametrize("sizes", [dict(batch_size=1), dict(batch_size=7, required_batch_size_multiple=1)])
    def test_every_line_has_a_hypothesis(
        self, data: Path, imported: Dict[str, Path], searched: Dict[str, str], sizes: Dict[str, object]
    ) -> None:
        out = run(generate_command(data, imported["masked"], beam=3, **sizes)).out
        assert sorted(hypotheses(out)) == list(range(100))
        assert best(out) == best(searched["masked"])

    @pytest.mark.parametrize("method", METHODS)
    def test_default_batches_too(self, searched: Dict[str, str], texts: Path, method: str) -> None:
        assert "" in sources(texts)
        assert sorted(hypotheses(searched[method])) == list(range(100))

    def test_successful_commands_do_not_warn(self, data: Path, imported: Dict[str, Path], tmp_path: Path) -> None:
        generate = run(generate_command(data, imported["masked"]), fork=False)
        train = run(train_command(data, tmp_path, **TINY), fork=False)
        for done in (generate, train):
            assert "Warning" not in done.err and "deprecat" not in done.err

    @pytest.mark.parametrize("method", METHODS)
    def test_interactive_equals_generate(
        self, data: Path, texts: Path, imported: Dict[str, Path], searched: Dict[str, str], method: str
    ) -> None:
        lines = sources(texts)
        assert max(len(line.split()) for line in lines) > 10  # the models take 10 words at most
        out = interactive(data, imported[method], lines, beam=3, buffer_size=50, batch_size=16)
        assert best(out) == best(searched[method])


class TestScores:
    """A hypothesis' score is what scoring it as a reference gives."""

    @pytest.mark.parametrize("method", METHODS)
    def test_score_reference(
        self, texts: Path, data: Path, bert: Path, imported: Dict[str, Path], tmp_path: Path, method: str
    ) -> None:
        found = hypotheses(run(generate_command(data, imported[method], beam=4, nbest=4)).out)
        rows = [(number, hypo) for number, hypos in found.items() for hypo in hypos]
        finished = [(number, hypo) for number, hypo in rows if hypo.text]  # fairseq cannot align an empty reference
        assert len(finished) > 200
        lines = sources(texts)
        write_pairs(tmp_path, "test", [lines[number] for number, _ in finished], [h.text for _, h in finished])
        run(preprocess_command(tmp_path, tmp_path / "bin", bert))
        scored = hypotheses(
            run(generate_command(tmp_path / "bin", imported[method], score_reference=True, batch_size=16)).out
        )
        for number, (_, hypo) in enumerate(finished):
            assert scored[number][0].text == hypo.text
            assert scored[number][0].score == pytest.approx(hypo.score, abs=2e-5)

    def test_length_penalty_of_the_papers(
        self, data: Path, imported: Dict[str, Path], searched: Dict[str, str]
    ) -> None:
        options = dict(beam=3, batch_size=16, lenpen="1.5")
        gnmt = run(generate_command(data, imported["masked"], length_penalty_type="gnmt", **options)).out
        plain = run(generate_command(data, imported["masked"], unnormalized=True, **options)).out
        same = 0
        for number, (hypo, *_) in hypotheses(gnmt).items():
            other = hypotheses(plain)[number][0]
            if hypo.text == other.text:
                same += 1
                length = len(hypo.text.split()) + 1
                assert hypo.score == pytest.approx(other.score / ((5 + length) / 6) ** 1.5, abs=1e-4)
        assert same > 5

    @pytest.mark.parametrize("method", METHODS)
    def test_validate_equals_validation_while_training(self, data: Path, tmp_path: Path, method: str) -> None:
        trained = run(train_command(data, tmp_path, finetune_method=method, **TINY)).out
        command = ["fairseq-validate", data, *PLUGIN, "--path", tmp_path / "checkpoint_last.pt", "--cpu"]
        validated = run([*command, "--batch-size", "5", "--valid-subset", "valid"]).out
        then, now = (
            re.findall(r"\| valid \|.*?\bloss ([\d.]+).*?nll_loss ([\d.]+)", out) for out in (trained, validated)
        )
        assert then and then[-1] == now[-1]


class TestSelfContained:
    """A checkpoint knows how it was made."""

    def test_pretrained_directory_is_not_needed_again(self, bert: Path, data: Path, tmp_path: Path) -> None:
        copied = shutil.copytree(bert, tmp_path / "pretrained")
        options = dict(pretrained=copied, finetune_method="causal", target_type_id=0)
        run(train_command(data, tmp_path / "save", **options))
        shutil.rmtree(copied)
        out = run(generate_command(data, tmp_path / "save" / "checkpoint_best.pt")).out
        assert sorted(hypotheses(out)) == list(range(100))
        before = weights(tmp_path / "save" / "checkpoint_last.pt")
        resumed = run(train_command(data, tmp_path / "save", **{**options, "max_update": 6}))
        assert "num_updates=6" in resumed.out + resumed.err or "num_updates 6" in resumed.out + resumed.err
        after = weights(tmp_path / "save" / "checkpoint_last.pt")
        assert any(not after[name].equal(tensor) for name, tensor in before.items())

    def test_training_starts_from_the_pretrained_weights(self, bert: Path, data: Path, tmp_path: Path) -> None:
        run(train_command(data, tmp_path, pretrained=bert, max_update=1, lr=0))
        from s2sft_fairseq.pretrained.checkpoint import read

        found = weights(tmp_path / "checkpoint_last.pt")
        for name, tensor in read(bert).tensors():
            if name != "embeddings.position.weight":
                assert found[f"transformer.{name}"].equal(tensor), name


def words(line: str) -> List[str]:
    return line.split()


class TestSearchFlags:
    """Each of fairseq's search flags, on a model that would do otherwise."""

    @pytest.fixture
    def search(self, data: Path, imported: Dict[str, Path]):
        """Runs fairseq-generate with flags, and returns all hypotheses."""

        def generate(**options: object) -> Dict[int, list]:
            defaults = dict(beam=4, batch_size=16)
            return hypotheses(run(generate_command(data, imported["infilling"], **{**defaults, **options})).out)

        return generate

    def test_nbest_is_sorted(self, search) -> None:
        for hypos in search(nbest=4).values():
            scores = [hypo.score for hypo in hypos]
            assert len(hypos) == 4 and scores == sorted(scores, reverse=True)
            assert len({hypo.text for hypo in hypos}) == 4

    def test_no_repeated_trigram(self, search, searched: Dict[str, str]) -> None:
        def repeats(line: str) -> bool:
            trigrams = list(zip(words(line), words(line)[1:], words(line)[2:]))
            return len(trigrams) > len(set(trigrams))

        assert any(repeats(line) for line in best(searched["pseudo_masked"]))
        assert not any(repeats(hypos[0].text) for hypos in search(no_repeat_ngram_size=3).values())

    def test_min_len(self, search, searched: Dict[str, str]) -> None:
        assert min(len(words(line)) for line in best(searched["pseudo_masked"])) < 8
        assert min(len(words(hypos[0].text)) for hypos in search(min_len=8).values()) >= 8

    def test_max_len(self, search, searched: Dict[str, str]) -> None:
        assert max(len(words(line)) for line in best(searched["pseudo_masked"])) > 3
        assert max(len(words(hypos[0].text)) for hypos in search(max_len_b=3).values()) <= 3

    def test_unkpen(self, search, searched: Dict[str, str]) -> None:
        liked = [hypos[0].text for hypos in search(unkpen=-100).values()]
        disliked = [hypos[0].text for hypos in search(unkpen=100).values()]
        assert all("[UNK]" in line for line in liked)
        assert not any("[UNK]" in line for line in disliked)

    def test_match_source_len(self, search, texts: Path) -> None:
        lengths = [len(words(line)) for line in sources(texts)]
        for number, hypos in search(match_source_len=True).items():
            assert len(words(hypos[0].text)) == min(lengths[number], MAX_WORDS)

    def test_prefix_size(self, search, texts: Path) -> None:
        targets = (texts / "test.tgt").read_text().splitlines()
        for number, hypos in search(prefix_size=2).items():
            assert words(hypos[0].text)[:2] == words(targets[number])[:2]

    @pytest.mark.parametrize("options", [{}, dict(sampling_topk=5), dict(sampling_topp="0.5")], ids=list)
    def test_sampling(self, search, options: Dict[str, object]) -> None:
        first, again, other = (search(sampling=True, nbest=4, seed=seed, **options) for seed in (1, 1, 2))
        assert first == again
        assert first != other

    def test_topk_of_one_is_greedy(self, search) -> None:
        sampled, greedy = search(beam=1, sampling=True, sampling_topk=1), search(beam=1)
        assert {n: h[0].text for n, h in sampled.items()} == {n: h[0].text for n, h in greedy.items()}

    def test_diverse_beam_groups(self, search) -> None:
        plain, diverse = search(nbest=4), search(nbest=4, diverse_beam_groups=2, diverse_beam_strength=50)

        def openings(found: Dict[int, list]) -> int:
            return sum(len({words(hypo.text)[0] for hypo in hypos if hypo.text}) for hypos in found.values())

        assert openings(diverse) > openings(plain)

    def test_diversity_rate(self, search) -> None:
        assert search(nbest=4, diversity_rate="5") != search(nbest=4)

    def test_temperature(self, search) -> None:
        assert search(temperature=2) != search()

    @pytest.mark.parametrize(
        ("flag", "says"), [("print_alignment", "no cross-attention"), ("print_step", "does not generate iteratively")]
    )
    def test_what_this_model_cannot_do(self, data: Path, imported: Dict[str, Path], flag: str, says: str) -> None:
        assert says in mistake(generate_command(data, imported["masked"], **{flag: True}))

    @pytest.mark.parametrize("order", ["ordered", "unordered"])
    def test_constraints(self, data: Path, imported: Dict[str, Path], order: str) -> None:
        rng = random.Random(5)
        wanted = [rng.sample([f"w{n}" for n in range(40)], 2) for _ in range(12)]
        lines = [f"w1 w2 w3\t{first}\t{second}" for first, second in wanted]
        out = interactive(data, imported["infilling"], lines, beam=8, constraints=order)
        for (first, second), line in zip(wanted, best(out)):
            assert {first, second} <= set(words(line))
            assert order == "unordered" or words(line).index(first) < words(line).index(second)

    def test_fairseq_bounds_mutually_exclusive_flags(self, data: Path, imported: Dict[str, Path]) -> None:
        command = generate_command(data, imported["masked"], sampling=True, match_source_len=True)
        assert attempt(command).status != 0


class TestEnsembles:
    """Several checkpoints at once."""

    @pytest.fixture(scope="class")
    def two(self, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Two trained models."""
        folder = tmp_path_factory.mktemp("two")
        for seed in (1, 2):
            run(train_command(data, folder / str(seed), finetune_method="infilling", seed=seed, **TINY))
        return folder

    def test_ensemble_of_one_method(self, data: Path, two: Path) -> None:
        def search(*seeds: int) -> Dict[int, list]:
            path = ":".join(str(two / str(seed) / "checkpoint_last.pt") for seed in seeds)
            return hypotheses(run(generate_command(data, path, beam=3)).out)

        one, other, both, twice = search(1), search(2), search(1, 2), search(1, 1)
        assert sorted(both) == list(range(100))
        assert both not in (one, other)
        assert {n: h[0].text for n, h in twice.items()} == {n: h[0].text for n, h in one.items()}

    def test_methods_of_one_layout_can_be_mixed(self, data: Path, imported: Dict[str, Path]) -> None:
        out = run(generate_command(data, f"{imported['masked']}:{imported['pseudo_masked']}")).out
        assert sorted(hypotheses(out)) == list(range(100))


class TestHelp:
    """The options teach themselves."""

    def test_options_and_defaults_are_listed(self) -> None:
        out = " ".join(run(["python", "-m", "s2sft_fairseq"]).out.split())
        for option in (
            "--finetune-method {causal,infilling,masked,pseudo_masked}",
            "--pretrained",
            "--truncate-source",
        ):
            assert option in out
        assert "(default: pseudo_masked; in pre-training, that of the objective)" in out and "(default: 448)" in out

    def test_import_help(self) -> None:
        out = run(["python", "-m", "s2sft_fairseq.import_pretrained", "--help"], fork=False).out
        assert "(default: pseudo_masked)" in out and "(default: 448)" in out

    def test_vocabulary_may_be_the_directory(self, bert: Path, tmp_path: Path) -> None:
        write_pairs(tmp_path, "train", ["w1 w2"], ["w2"])
        for name, vocabulary in (("one", bert), ("two", bert / "vocab.txt")):
            run(preprocess_command(tmp_path, tmp_path / name, vocabulary))
        one, two = (sorted(p.read_bytes() for p in (tmp_path / n).glob("*.bin")) for n in ("one", "two"))
        assert one == two
