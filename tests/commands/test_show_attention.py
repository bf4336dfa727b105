"""``python -m s2sft_fairseq.show_attention``: the papers' figures, out of the code, read back from its pictures."""

import json
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, Dict, List, Sequence

import pytest
import torch
from commands import make_bert, mistake, random_lines, run, write_lines
from methods import METHODS
from omegaconf import open_dict

from s2sft_fairseq import import_pretrained, show_attention
from s2sft_fairseq.common.errors import UserError
from s2sft_fairseq.models import checkpoints
from s2sft_fairseq.objectives.pretraining import PRETRAINING

COMMAND = ["python", "-m", "s2sft_fairseq.show_attention"]
GROUP = "{http://www.w3.org/2000/svg}g"


def panels(tmp_path: Path, *arguments: object) -> Dict[str, Dict[str, Any]]:
    """The panels of a picture by their titles: rows, columns and matrix, as the SVG carries them."""
    path = tmp_path / "picture.svg"
    show_attention.main([*map(str, arguments), "--to", str(path)])
    return {
        str(group.get("data-panel")): {
            "rows": json.loads(str(group.get("data-rows"))),
            "columns": json.loads(str(group.get("data-columns"))),
            "sees": str(group.get("data-sees")).split(),
            "weights": json.loads(group.get("data-weights", "null")),
        }
        for group in ElementTree.parse(path).iter(GROUP)
        if group.get("data-panel")
    }


def rows(picture: str) -> List[str]:
    """The lines of a figure, spaces out."""
    return [line.replace(" ", "") for line in picture.split("\n") if line.strip()]


def heads(panel: Dict[str, Any], side: str, *fields: str) -> List[Any]:
    """A field of the heads, or several."""
    found = [[head[field] for field in fields] for head in panel[side]]
    return [values[0] for values in found] if len(fields) == 1 else found


def tokens(panel: Dict[str, Any]) -> str:
    """The tokens of the columns."""
    return " ".join(heads(panel, "columns", "token"))


class TestFigures:
    @pytest.mark.parametrize(
        "method, expected, figure",
        [
            (
                "causal",
                "[CLS] s1 s2 [SEP] t1 t2",
                """
                ### ...
                ### ...
                ### ...
                ### #..
                ### ##.
                ### ###
                """,
            ),
            (
                "masked",
                "[CLS] s1 s2 [SEP] t1 [MASK] [SEP]",
                """
                #### ...
                #### ...
                #### ...
                #### ...
                #### #..
                #### ##.
                #### ###
                """,
            ),
            (
                "pseudo_masked",
                "[CLS] s1 s2 [SEP] t1 t2 [SEP] [MASK] [MASK] [MASK]",
                """
                #### ... ...
                #### ... ...
                #### ... ...
                #### ... ...
                #### #.. ...
                #### ##. ...
                #### ### ...
                #### ... #..
                #### #.. .#.
                #### ##. ..#
                """,
            ),
        ],
    )
    def test_figure_2_of_s2s_ft(self, tmp_path: Path, method: str, expected: str, figure: str) -> None:
        (panel,) = panels(tmp_path, "--finetune-method", method).values()
        assert tokens(panel) == expected
        assert panel["sees"] == rows(figure)

    def test_figure_3d_of_ernie_gen(self, tmp_path: Path) -> None:
        """Contextual, word-by-word and span-by-span flow; the figure has neither end token nor token of the start."""
        found = panels(tmp_path, "--finetune-method", "infilling", "--source", "S", "--target", "t1 t2 t3",
                       "--spans", "t1 t2/t3")  # fmt: skip
        assert list(found) == ["infilling: M_C", "infilling: M_W", "infilling: M_S"]
        contextual, words, spans = found.values()
        assert tokens(contextual) == "[CLS] S [SEP] [CLS] t1 t2 t3 [SEP]"
        assert contextual["sees"] == rows(
            """
            ### .....
            ### .....
            ### .....
            ### #....
            ### ##...
            ### ###..
            ### ####.
            ### #####
            """
        )
        for panel in (words, spans):
            assert heads(panel, "rows", "token", "label") == [
                ["[ATTN]", label] for label in ("t1", "t2", "t3", "[SEP]")
            ]
            assert tokens(panel) == tokens(contextual) + " [ATTN]" * 4
        assert words["sees"] == rows(
            """
            ### #.... #...
            ### ##... .#..
            ### ###.. ..#.
            ### ####. ...#
            """
        )
        assert spans["sees"] == rows(
            """
            ### #.... #...
            ### #.... .#..
            ### ###.. ..#.
            ### ####. ...#
            """
        )

    def test_figure_5_of_unilmv2(self, tmp_path: Path) -> None:
        """x1 … x6, the masks in the places of x2, x4 and x5; then the originals; then the pseudo masks."""
        (panel,) = panels(tmp_path, "--objective", "pmlm", "--order", "4,5/2", "--last-block").values()
        assert tokens(panel) == "[CLS] [MASK] [SEP] [MASK] [MASK] [SEP] x2 x4 x5 [MASK] [MASK] [MASK]"
        assert panel["sees"] == rows(
            """
            ###### ... ...
            ###### ... ...
            ###### ... ...
            ###### ... ...
            ###### ... ...
            ###### ... ...
            ###### ### ...
            ###### .## ...
            ###### .## ...
            ###### .## #..
            ###### ... .##
            ###### ... .##
            """
        )
        assert heads(panel, "rows", "position", "step", "group", "label")[-3:] == [
            [1, 2, 2, "x2"], [3, 1, 1, "x4"], [4, 1, 1, "x5"]
        ]  # fmt: skip
        assert heads(panel, "rows", "segment") == [0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1]

    def test_what_training_lays_out_lacks_the_last_block(self, tmp_path: Path) -> None:
        (panel,) = panels(tmp_path, "--objective", "pmlm", "--order", "4,5/2").values()
        assert heads(panel, "columns", "token")[6:8] == ["x4", "x5"] and len(panel["sees"]) == 11

    def test_figure_3_of_unilmv2(self, tmp_path: Path) -> None:
        """What each prediction sees of the masked tokens: nothing; the earlier tokens; the earlier blocks."""
        found = panels(tmp_path, "--objective", "pmlm", "--order", "4,5/2", "--pmlm-objective", "ae", "ar", "par")
        assert list(found) == ["pmlm ae", "pmlm ar", "pmlm par"]
        autoencoding, autoregressive, partially = found.values()
        assert heads(autoencoding, "rows", "label") == ["", "x2", "", "x4", "x5", ""]
        assert autoencoding["sees"] == ["######"] * 6
        predictions = dict(zip(heads(autoregressive, "rows", "label"), autoregressive["sees"]))
        columns = heads(autoregressive, "columns", "token")
        assert columns[6:8] == ["x4", "x5"]
        assert {label: sees[:8] for label, sees in predictions.items() if label} == {
            "x4": "######..", "x5": "#######.", "x2": "########"
        }  # fmt: skip
        predictions = dict(zip(heads(partially, "rows", "label"), partially["sees"]))
        assert {label: sees[:8] for label, sees in predictions.items() if label} == {
            "x4": "######..", "x5": "######..", "x2": "########"
        }  # fmt: skip

    def test_figure_1_of_unilm(self, tmp_path: Path) -> None:
        """And the right-to-left mask that it omits; each in the order of the text."""
        found = panels(tmp_path, "--objective", "unilm", "--text", "a b")
        figures = {
            "bidirectional": ["#####"] * 5,
            "seq2seq": ["###..", "###..", "###..", "####.", "#####"],
            "left_to_right": ["#...", "##..", "###.", "####"],
            "right_to_left": ["####", ".###", "..##", "...#"],
        }
        assert {title.split(": ")[1]: panel["sees"] for title, panel in found.items()} == figures
        for panel in found.values():
            assert heads(panel, "rows", "position") == [*range(len(panel["rows"]))]
        assert [heads(panel, "rows", "segment") for panel in found.values()] == [
            [0, 0, 0, 1, 1], [4, 4, 4, 5, 5], [2] * 4, [3] * 4
        ]  # fmt: skip
        chosen = panels(tmp_path, "--objective", "unilm", "--text", "a b", "--lm", "right_to_left", "seq2seq")
        assert list(chosen) == ["unilm: right_to_left", "unilm: seq2seq"]

    @pytest.mark.parametrize("name", sorted(PRETRAINING))
    @pytest.mark.parametrize("seed", [1, 2])
    def test_every_objective_shows_a_text(self, tmp_path: Path, name: str, seed: int) -> None:
        found = panels(tmp_path, "--objective", name, "--text", "a b c d e f g", "--seed", seed)
        for panel in found.values():
            assert any(heads(panel, "rows", "label"))
            assert {len(row) for row in panel["sees"]} == {len(panel["columns"])}

    def test_flows_of_ernie_gens_pretraining(self, tmp_path: Path) -> None:
        """A fragment of four tokens and the end, in one flow or in both."""
        options = ("--text", "a b c d e f g h", "--fragment-share", 0.5, "--fragment-lengths", "4-4:1")
        found = panels(tmp_path, "--objective", "ernie_gen", *options)
        assert heads(found["ernie_gen"], "rows", "block").count("query") == 5
        found = panels(tmp_path, "--objective", "ernie_gen", *options, "--spans", "a b/c d/e f/g h")
        assert list(found) == [f"ernie_gen: {flow}" for flow in ("M_C", "M_W", "M_S")]
        assert all(heads(found[f"ernie_gen: {flow}"], "rows", "block") == ["query"] * 5 for flow in ("M_W", "M_S"))
        assert found["ernie_gen: M_W"]["sees"] != found["ernie_gen: M_S"]["sees"]


class TestForms:
    def test_text(self, capsys: pytest.CaptureFixture) -> None:
        """A row for each slot, with its fields; columns have the same, downwards."""
        show_attention.main(["--finetune-method", "causal", "--source", "s1", "--target", "t1"])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "causal"
        named = {line.split()[0]: line.split()[1:] for line in lines[1:] if len(line.split()) == 5}
        assert named["position"] == ["0", "1", "2", "3"] and named["step"] == ["0", "0", "1", "2"]
        assert named["group"] == ["0"] * 4 and named["segment"] == ["0", "0", "1", "1"]
        start = next(number for number, line in enumerate(lines) if line.split()[:2] == ["token", "position"])
        assert lines[start].split() == ["token", "position", "step", "group", "segment", "label"]
        assert [" ".join(line.split()) for line in lines[start + 1 :]] == [
            "[CLS] 0 0 0 0 - # # . .",
            "s1 1 0 0 0 - # # . .",
            "[SEP] 2 1 0 1 t1 # # # .",
            "t1 3 2 0 1 [SEP] # # # #",
        ]
        above = [line.ljust(len(lines[-1]))[-7::2] for line in lines[1:start]]
        columns = ["".join("".join(letters[:-4]).split()) for letters in zip(*above)]
        assert columns == ["-[CLS]", "-s1", "t1[SEP]", "[SEP]t1"]

    def test_png(self, tmp_path: Path) -> None:
        """A picture of the same shape as the SVG."""
        show_attention.main(["--objective", "unilm", "--to", str(tmp_path / "picture.png")])
        show_attention.main(["--objective", "unilm", "--to", str(tmp_path / "picture.svg")])
        head = (tmp_path / "picture.png").read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        root = ElementTree.parse(tmp_path / "picture.svg").getroot()
        width, height = (2 * float(str(root.get(side))) for side in ("width", "height"))
        assert struct.unpack(">II", head[16:]) == pytest.approx((width, height), abs=2)

    def test_png_without_its_library(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error becomes one line (``common.errors.missing_package``)."""
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(ModuleNotFoundError) as caught:
            show_attention.main(["--objective", "unilm", "--to", str(tmp_path / "picture.png")])
        assert str(caught.value.name).startswith("matplotlib")

    def test_hostile_words(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Letters that mean something in XML, JSON or a formula."""
        words = "<b> & \"q\" 'a' $x_1$ 猫 →"
        (panel,) = panels(tmp_path, "--finetune-method", "causal", "--source", words).values()
        assert tokens(panel) == f"[CLS] {words} [SEP] t1 t2"
        with caplog.at_level("WARNING"):
            show_attention.main(["--finetune-method", "causal", "--source", words, "--to", str(tmp_path / "p.png")])
        assert "no font here has 1 of the characters" in caplog.text

    def test_command(self) -> None:
        assert "#" in run([*COMMAND, "--objective", "pmlm", "--order", "4,5/2"]).out


@pytest.mark.parametrize(
    "arguments, said",
    [
        ("--objective pmlm --order 1/2", "token 1 is [CLS], and special tokens are never masked"),
        ("--objective pmlm --order 3", "token 3 is [SEP]"),
        ("--objective pmlm --order 7", "there is no token 7 among the 6"),
        ("--objective pmlm --order 0", "there is no token 0"),
        ("--objective pmlm --order 4,5/5", "names token 5 twice"),
        ("--objective pmlm --order 4;5", "expected places, counted from 1"),
        ("--objective pmlm --order 4,/5", "expected places, counted from 1"),
        ("--objective pmlm --last-block", "--last-block shows the tokens"),
        ("--objective pmlm --lm seq2seq", "--lm chooses among"),
        ("--objective unilm --lm forwards", "--lm forwards: expected one or more of bidirectional"),
        ("--objective unilm --order 2", "only --objective pmlm has"),
        ("--objective unilm --text a --source b", "--text is instead of"),
        ("--objective ernie_gen --source a --target b", "trains on single texts"),
        ("--objective ernie_gen --text [MASK]", "[MASK] is a special token"),
        (
            "--objective unilm --spans t1",
            "--spans names the spans of the span flow, which only infilling and ernie_gen",
        ),
        ("--objective unilm --mask-share 2", "--mask-share is 2.0"),
        ("--objective unilm --to picture.pdf", "expected a name that ends in .svg or .png"),
        ("--objective unilm --to picture", "expected a name that ends in .svg or .png"),
        ("--objective unilm --layer 1", "--layer needs a trained model"),
        ("--objective unilm --noise 0", "--noise needs a trained model"),
        ("--finetune-method causal --text a", "--text is for --objective"),
        ("--finetune-method causal --order 2", "--order is for --objective"),
        ("--finetune-method causal --last-block", "--last-block is for --objective"),
        ("--finetune-method causal --lm seq2seq", "--lm is for --objective"),
        ("--finetune-method causal --spans t1/t2", "--spans names the spans of the span flow"),
        ("--finetune-method causal --source=", "--source is empty"),
        ("--finetune-method infilling --spans t1/t2", "all have one word"),
        ("--finetune-method infilling --spans t9", "'t9' is not in the text"),
        ("--finetune-method infilling --spans /t1", "has 0 words"),
        ("--finetune-method infilling --noise-prob 2", "--noise-prob is 2.0"),
        ("--objective unilm --seed -1", "--seed is -1"),
        ("--objective ernie_gen --spans t1", "'t1' is not in the text"),
        ("--checkpoint nowhere", "nowhere"),
        ("--checkpoint nowhere --order 2", "--order is for --objective"),
    ],
)
def test_mistakes(arguments: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        show_attention.main(arguments.split())


def test_a_mistake_is_one_line() -> None:
    assert "no token 9 among the 6" in mistake([*COMMAND, "--objective", "pmlm", "--order", "9"])


@pytest.mark.parametrize("arguments", [[], ["--objective", "bert"], ["--objective", "unilm", "--noise-prob", "1"]])
def test_unusable_arguments(arguments: Sequence[str], capsys: pytest.CaptureFixture) -> None:
    """Of another objective, or none at all: argparse answers."""
    with pytest.raises(SystemExit):
        show_attention.main([*arguments])
    assert "error: " in capsys.readouterr().err


class TestTrainedModel:
    @pytest.fixture(scope="class", params=METHODS)
    def checkpoint(self, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
        folder = tmp_path_factory.mktemp(request.param)
        make_bert(folder / "bert")
        positions = ["--max-source-positions", "12", "--max-target-positions", "10"]
        import_pretrained.main(
            [
                "--from",
                str(folder / "bert"),
                "--to",
                str(folder / "run"),
                "--finetune-method",
                request.param,
                *positions,
            ]
        )
        return folder / "run"

    def test_weights_of_an_example(self, checkpoint: Path, tmp_path: Path) -> None:
        """Each row adds up to 1 over what is visible; layers differ."""
        (source, target), given = random_lines(2, seed=3, shortest=3), ["--checkpoint", checkpoint]
        (last,) = panels(tmp_path, *given, "--source", source, "--target", target).values()
        (second,) = panels(tmp_path, *given, "--source", source, "--target", target, "--layer", 2).values()
        (first,) = panels(tmp_path, *given, "--source", source, "--target", target, "--layer", 1).values()
        assert last["weights"] == second["weights"] != first["weights"]
        for sees, weights in zip(last["sees"], last["weights"]):
            assert sum(weights) == pytest.approx(1, abs=1e-4)
            assert all(allowed == "#" or not weight for allowed, weight in zip(sees, weights))

    def test_a_pretraining_run(self, checkpoint: Path, tmp_path: Path) -> None:
        """The options of its task, which fine-tuning does not have, are no reason to refuse it."""
        state = checkpoints.read(checkpoint / "model.pt")
        with open_dict(state["cfg"]):
            state["cfg"].task.update({"_name": "s2s_pretraining", "objective": "pmlm", "mask_share": 0.2})
        torch.save(state, tmp_path / "pretrained.pt")
        example = ("--source", "w1 w2", "--target", "w3")
        found = panels(tmp_path, "--checkpoint", tmp_path / "pretrained.pt", *example)
        assert found == panels(tmp_path, "--checkpoint", checkpoint, *example)

    def test_text_in_hundredths(self, checkpoint: Path, capsys: pytest.CaptureFixture) -> None:
        source, target = random_lines(2, seed=3, shortest=3)
        show_attention.main(["--checkpoint", str(checkpoint), "--source", source, "--target", target])
        row = capsys.readouterr().out.splitlines()[-1].split()[6:]
        assert sum(int(cell) for cell in row if cell != ".") == pytest.approx(100, abs=len(row) / 2)

    def test_shares(self, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
        files = [str(write_lines(tmp_path / name, random_lines(20, seed=seed))) for seed, name in enumerate("st")]
        for noise, is_zero in (("0", True), ("0.5", False)):
            show_attention.main(["--checkpoint", str(checkpoint), "--shares", *files, "--noise", noise])
            title, _, *lines = capsys.readouterr().out.splitlines()
            assert title.startswith("layer 2: ") and title.endswith(f"of 20 pairs, --noise {float(noise)}")
            shares = {line[:14].strip(): float(line.split()[-2]) for line in lines}
            assert sum(shares.values()) == pytest.approx(100, abs=0.3)
            assert (shares["noised target"] == 0) == is_zero

    def test_mistakes_with_a_model(self, checkpoint: Path, tmp_path: Path) -> None:
        texts = [write_lines(tmp_path / "one", ["a"]), write_lines(tmp_path / "two", ["a", "b"])]
        empty = write_lines(tmp_path / "empty", [])
        for arguments, said in (
            (["--source", "a"], "needs a pair to look at"),
            (["--source", "a", "--target", "b", "--layer", "3"], "--layer 3: the model has 2 layers"),
            (["--source", "a", "--target", "b", "--noise", "2"], "--noise is 2.0"),
            (["--shares", *texts], "lines"),
            (["--shares", empty, empty], "the file is empty"),
            (["--shares", texts[0], texts[0], "--source", "a"], "does not go with --shares"),
        ):
            with pytest.raises(UserError, match=re.escape(said)):
                show_attention.main(["--checkpoint", str(checkpoint), *map(str, arguments)])
        with pytest.raises(UserError, match="2 models attend in different ways"):
            show_attention.main(["--checkpoint", f"{checkpoint}:{checkpoint}", "--source", "a", "--target", "b"])
