"""python -m s2sft_fairseq.generate: a line for each line, as fairseq-interactive has it; resumed as if undisturbed."""

import io
import re
import signal
import sys
from pathlib import Path
from typing import Any, Callable, List

import pytest
from commands import PLUGIN, ROOT, attempt, make_bert, mistake, random_lines, run, write_lines

from s2sft_fairseq import S2SModel, generate, import_pretrained
from s2sft_fairseq.common.errors import UserError

COMMAND = ["python", "-m", "s2sft_fairseq.generate"]
LINES = ["", *random_lines(50, seed=7, shortest=0, longest=15), "", "w1"]
KILLED = """
import os, signal
from s2sft_fairseq import generate

def answers(*args):
    batches.append(args)
    if len(batches) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*args)

batches, whole, generate.answers, generate.WINDOW = [], generate.answers, answers, 8
generate.run_command(generate.main)
"""
"""The command, killed in its third window of 8 lines."""

Generate = Callable[..., List[str]]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, and dict.txt as a directory of data for fairseq's own command."""
    folder = tmp_path_factory.mktemp("generate")
    bert = make_bert(folder / "bert")
    options = ["--finetune-method", "infilling", "--max-source-positions", "12", "--max-target-positions", "10"]
    import_pretrained.main(["--from", str(bert), "--to", str(folder / "imported"), *options])
    for language in ("src", "tgt"):
        (folder / "imported" / f"dict.{language}.txt").symlink_to(folder / "imported" / "dict.txt")
    return folder / "imported"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the input, written with windows of 8 lines."""
    monkeypatch.setattr(generate, "WINDOW", 8)
    write_lines(tmp_path / "in", LINES)
    return tmp_path


@pytest.fixture
def generated(files: Path, imported: Path) -> Generate:
    """Runs the command in this process, and returns the lines of the output."""

    def call(*flags: object, output: str = "out") -> List[str]:
        words = ["--checkpoint", imported, "--input", files / "in", "--output", files / output, "--cpu", *flags]
        generate.main([str(word) for word in words])
        return (files / output).read_text(encoding="utf-8").split("\n")[:-1]

    return call


class TestLines:
    def test_they_are_those_of_the_model_in_python(self, generated: Generate, imported: Path) -> None:
        """In the order of the input, empty ones among them, whatever the windows and batches."""
        expected = S2SModel.from_pretrained(imported).generate(LINES, beam=3)
        assert generated("--beam", 3) == expected
        assert generated("--beam", 3, "--batch-size", 1) == expected
        assert len(set(expected)) > 10

    @pytest.mark.slow
    def test_they_are_those_of_fairseq_interactive(self, generated: Generate, imported: Path) -> None:
        flags = ["--beam", 4, "--lenpen", "0.6", "--length-penalty-type", "gnmt", "--no-repeat-ngram-size", 2]
        text = ["--bpe", "s2s_ft", "--s2s-ft-vocab", imported / "vocab.txt", "--buffer-size", 20, "--batch-size", 5]
        command = ["fairseq-interactive", imported, *PLUGIN, "--path", imported / "model.pt", "--cpu", *flags]
        out = run(
            [*command, "-s", "src", "-t", "tgt", *text], stdin="".join(f"{line}\n" for line in LINES).encode()
        ).out
        assert generated(*flags) == re.findall(r"^D-\d+\t\S+\t(.*)$", out, re.MULTILINE)

    def test_shards_join_to_the_whole(self, generated: Generate) -> None:
        """In their order; of more shards than lines, some have none."""
        shards = [generated("--num-shards", 3, "--shard-id", shard, output=f"out.{shard}") for shard in range(3)]
        assert [line for shard in shards for line in shard] == generated()
        assert generated("--num-shards", len(LINES) + 1, output="none") == []

    def test_which_shards_there_are(self, generated: Generate) -> None:
        """A complete one is kept; there are no others, and none of standard input."""
        shard = ["--num-shards", 2, "--shard-id", 1]
        expected = generated(*shard)
        assert generated(*shard, "--skip-existing") == expected
        with pytest.raises(UserError, match=f"has 27 lines but --shard-id 0 of .* has {len(LINES) // 2}; remove"):
            generated("--num-shards", 2, "--skip-existing")
        with pytest.raises(UserError, match="--shard-id is 2; expected 0 to 1"):
            generated("--num-shards", 2, "--shard-id", 2)
        with pytest.raises(UserError, match="--num-shards 2 needs --input FILE"):
            generated(*shard, "--input", "-")

    def test_retained_dropout_is_noise_of_the_seed(self, generated: Generate) -> None:
        flags = ["--retain-dropout", "--scores", "--beam", 2]
        one, again, other = (generated(*flags, "--seed", seed) for seed in (1, 1, 2))
        assert one == again != other

    def test_nbest_and_scores(self, generated: Generate, imported: Path) -> None:
        found = S2SModel.from_pretrained(imported).hypotheses(LINES, beam=3, nbest=2)
        assert generated("--beam", 3, "--nbest", 2) == ["\t".join(one.text for one in best) for best in found]
        for line, best in zip(generated("--beam", 3, "--nbest", 2, "--scores"), found):
            first, text, second, other = line.split("\t")
            assert [text, other] == [one.text for one in best]
            assert [float(first), float(second)] == pytest.approx([one.score for one in best], abs=1e-3)

    def test_constraints_follow_tabs(self, generated: Generate, files: Path) -> None:
        write_lines(files / "in", ["w1 w2\tw9", "w3", "w4\tw8 w7\tw5"])
        first, second, third = generated("--constraints", "--beam", 12)
        assert "w9" in first.split() and second and "w8 w7" in third and "w5" in third.split()

    def test_no_hypothesis_breaks_a_line(self) -> None:
        from s2sft_fairseq.hub import Hypothesis

        odd = Hypothesis("a\tb\r\nc", -1.0, None, None)  # type: ignore[arg-type]
        assert generate.output_line([odd, odd], scores=False) == "a b  c\ta b  c"

    def test_standard_streams(self, imported: Path, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"w1 w2\r\n\nw3")))
        generate.main(["--checkpoint", str(imported), "--cpu", "--beam", "2"])
        lines = capfdbinary.readouterr().out.decode().split("\n")
        assert lines[:-1] == S2SModel.from_pretrained(imported).generate(["w1 w2", "", "w3"], beam=2)

    @pytest.mark.parametrize("flag", ["--bf16", "--int8"])
    def test_precision(self, generated: Generate, imported: Path, flag: str) -> None:
        name = {"--bf16": "bfloat16", "--int8": "int8"}[flag]
        model = S2SModel.from_pretrained(imported, inference_precision=name)
        expected = [model.hypotheses(LINES[at : at + 8], beam=1) for at in range(0, len(LINES), 8)]
        texts = [best.text for window in expected for (best,) in window]
        assert generated("--beam", 1, flag) == texts


class TestResuming:
    """--skip-existing: what a killed run has written is kept, and the end is that of an undisturbed run."""

    FLAGS = ("--beam", 1, "--sampling", "--seed", 3)

    def interrupt(self, monkeypatch: pytest.MonkeyPatch, generated: Generate, *, after: int) -> None:
        """A run that dies in a window."""
        whole, seen = generate.answers, []

        def dying(*args: Any) -> List[str]:
            seen.append(args)
            if len(seen) > after:
                raise KeyboardInterrupt
            return whole(*args)

        with monkeypatch.context() as patch:
            patch.setattr(generate, "answers", dying)
            with pytest.raises(KeyboardInterrupt):
                generated(*self.FLAGS)

    @pytest.mark.parametrize("after", [1, 3])
    @pytest.mark.parametrize("torn", [b"", b"half a li", b"a line\nhalf"])
    def test_as_if_undisturbed(
        self, files: Path, generated: Generate, monkeypatch: pytest.MonkeyPatch, after: int, torn: bytes
    ) -> None:
        expected = generated(*self.FLAGS, output="undisturbed")
        assert generated("--beam", 1, "--sampling", "--seed", 4, output="other") != expected
        self.interrupt(monkeypatch, generated, after=after)
        (partial,) = files.glob("out.*.partial")
        assert not (files / "out").exists() and partial.read_text().split("\n")[:-1] == expected[: 8 * after]
        with open(partial, "ab") as file:
            file.write(torn)
        asked: List[int] = []
        whole = generate.answers
        monkeypatch.setattr(generate, "answers", lambda *args: asked.append(len(args[1])) or whole(*args))
        assert generated(*self.FLAGS, "--skip-existing") == expected
        assert sum(asked) == len(LINES) - 8 * after
        assert not list(files.glob("*.partial"))

    def test_without_the_flag_it_begins_anew(
        self, files: Path, generated: Generate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.interrupt(monkeypatch, generated, after=2)
        (partial,) = files.glob("out.*.partial")
        partial.write_text("not ours\n" * 16)
        assert generated(*self.FLAGS) == generated(*self.FLAGS, output="undisturbed")

    def test_other_flags_or_input_do_not_go_on(
        self, files: Path, generated: Generate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.interrupt(monkeypatch, generated, after=2)
        assert generated("--beam", 2, "--skip-existing") == generated("--beam", 2, output="undisturbed")
        (files / "out").unlink()
        write_lines(files / "in", reversed(LINES))
        assert generated(*self.FLAGS, "--skip-existing") == generated(*self.FLAGS, output="again")

    def test_a_complete_output_is_kept(self, files: Path, generated: Generate) -> None:
        write_lines(files / "out", ["mine"] * len(LINES))
        assert generated("--skip-existing") == ["mine"] * len(LINES)
        assert generated("--beam", 1)[0] != "mine"
        write_lines(files / "out", ["mine"])
        with pytest.raises(UserError, match=f"has 1 lines but .* has {len(LINES)}; remove the output"):
            generated("--skip-existing")

    @pytest.mark.slow
    def test_a_killed_process(self, tmp_path: Path, imported: Path) -> None:
        write_lines(tmp_path / "in", random_lines(40, seed=1))
        files = ["--checkpoint", imported, "--input", tmp_path / "in", "--output", tmp_path / "out", "--skip-existing"]
        script, env = write_lines(tmp_path / "generate", KILLED.splitlines()), {"PYTHONPATH": str(ROOT)}
        assert attempt(["python", script, *files, "--cpu", "--beam", 2], env=env).status == -signal.SIGKILL
        assert not (tmp_path / "out").exists()
        (partial,) = tmp_path.glob("out.*.partial")
        kept = partial.read_bytes()
        run([*COMMAND, *files, "--cpu", "--beam", 2])
        whole = (tmp_path / "out").read_bytes()
        assert whole.startswith(kept) and kept.count(b"\n") == 16 and whole.count(b"\n") == 40


class TestMistakes:
    @pytest.mark.parametrize(
        ("flags", "says"),
        [
            (["--checkpoint", "absent.pt"], "no file absent.pt"),
            (["--input", "absent"], "absent"),
            (["--output", "."], "is a directory"),
            (["--output", "-", "--skip-existing"], "needs --output FILE"),
            (["--length-penalty-type", "gnmt", "--print-alignment"], None),
        ],
    )
    def test_one_line_and_nothing_written(self, files: Path, generated: Generate, flags: List[str], says: str) -> None:
        before = sorted(files.iterdir())
        with pytest.raises((UserError, OSError, SystemExit), match=says):
            generated(*flags)
        assert sorted(files.iterdir()) == before

    def test_bad_text_is_found_at_once(self, files: Path, generated: Generate) -> None:
        (files / "in").write_bytes(b"w1\n\xff\n")
        with pytest.raises(UserError, match="line 2 is not valid UTF-8"):
            generated()
        assert [path.name for path in files.iterdir()] == ["in"]

    @pytest.mark.slow
    def test_on_the_command_line(self, tmp_path: Path) -> None:
        assert "no file" in mistake([*COMMAND, "--checkpoint", tmp_path / "absent.pt"], fork=False)


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        generate.main(["--help"])
    out = capsys.readouterr().out
    for told in (
        "--skip-existing",
        "--beam BEAM",
        "(default: 5)",
        "--length-penalty-type {fairseq,gnmt}",
        "articles.txt",
    ):
        assert told in out
    assert "--prefix-size" not in out and "(default: None)" not in out
