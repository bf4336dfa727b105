"""Pre-trains the small BERT of the quickstart by masked language modelling; saves it as published models are.

It reads the training side alone. The learning rate follows the clock: it rises over the first part of
--minutes and has fallen to zero at its end, so a run always ends annealed. A run that was interrupted goes on
from its last checkpoint (in --to) when the same command is given again.
"""

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from masked_batches import Batch, Masker, Text, read_texts
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from s2sft_fairseq.common.atomic_files import whole_files

LAYERS, HIDDEN, HEADS, FEED_FORWARD, POSITIONS = 4, 256, 4, 1024, 512
WARMUP = 0.04  # of the time
LOG_SECONDS = 10
CHECKPOINT = "pretrain.pt"


class Texts(NamedTuple):
    """What is trained on in one epoch, and what is held out."""

    train: list[Text]
    valid: list[Text]


def read_all(args: argparse.Namespace, tokenizer: BertTokenizer) -> Texts:
    """Reads the pairs of every folder, those of the first --repeat times, and the files of single texts."""
    train: list[Text] = []
    for folder, times in zip(args.pairs, [args.repeat] + [1] * len(args.pairs)):
        train += times * read_texts(tokenizer, folder / "train.src", folder / "train.tgt")
    for path in args.text:
        train += read_texts(tokenizer, path)
    held_out = args.pairs[0]
    return Texts(train, read_texts(tokenizer, held_out / "valid.src", held_out / "valid.tgt"))


def build_model(tokenizer: BertTokenizer, dropout: float) -> BertForMaskedLM:
    """Returns a new model of the quickstart's size for the vocabulary of `tokenizer`."""
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=FEED_FORWARD,
        max_position_embeddings=POSITIONS,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        pad_token_id=tokenizer.pad_token_id,
    )
    return BertForMaskedLM(config)


def take_over(model: BertForMaskedLM, tokenizer: BertTokenizer, directory: Path) -> None:
    """Starts from another encoder of this size: all its weights, but only the rows of pieces that both know."""
    other = BertForMaskedLM.from_pretrained(directory).float().state_dict()
    known = BertTokenizer.from_pretrained(directory).get_vocab()
    shared = [(row, known[piece]) for piece, row in tokenizer.get_vocab().items() if piece in known]
    ours, theirs = torch.tensor(shared).T
    mixed = {
        name: weight.index_copy(0, ours, other[name][theirs]) if len(weight) == len(tokenizer) else other[name]
        for name, weight in model.state_dict().items()
    }
    model.load_state_dict(mixed)
    print(f"starts from {directory}: {len(shared):,} of {len(tokenizer):,} pieces are in its vocabulary", flush=True)


def masked_loss(model: BertForMaskedLM, batch: Batch) -> torch.Tensor:
    """Returns the mean cross entropy, in nats, of the pieces to be predicted; only these are scored."""
    batch = Batch(*(tensor.to(model.device) for tensor in batch))
    attended = (batch.pieces != model.config.pad_token_id).to(torch.int64)
    with torch.autocast(model.device.type, torch.bfloat16):
        states = model.bert(batch.pieces, attended, batch.segments).last_hidden_state
        scores = model.cls(states[batch.chosen])
    return cross_entropy(scores.float(), batch.answers)


@torch.no_grad()
def held_out_loss(model: BertForMaskedLM, masker: Masker, texts: list[Text]) -> float:
    """Returns the loss on held-out texts, the same places hidden each time."""
    model.eval()
    losses = [masked_loss(model, batch).item() for batch in masker.batches(texts, np.random.default_rng(0))]
    model.train()
    return sum(losses) / len(losses)


def learning_rate(peak: float, fraction: float) -> float:
    """Returns the rate at a fraction of the time: a linear rise to `peak`, then a linear fall to zero."""
    return peak * min(fraction / WARMUP, max(0.0, 1 - fraction) / (1 - WARMUP))


class Training:
    """A run: the model, its optimizer, and how many updates and seconds it has had."""

    def __init__(self, args: argparse.Namespace, tokenizer: BertTokenizer, texts: Texts) -> None:
        self.args, self.texts, self.tokenizer = args, texts, tokenizer
        self.masker = Masker(tokenizer, args.max_tokens, args.max_length)
        self.model = build_model(tokenizer, args.dropout)
        if args.start_from:
            take_over(self.model, tokenizer, args.start_from)
        self.model.to(args.device)
        decayed = [weight for weight in self.model.parameters() if weight.dim() > 1]
        others = [weight for weight in self.model.parameters() if weight.dim() == 1]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-6, fused=True)
        self.updates, self.seconds = 0, 0.0
        self.resume()

    def resume(self) -> None:
        """Takes up the checkpoint of an interrupted run, if there is one."""
        path = self.args.to / CHECKPOINT
        if not path.exists():
            return
        state = torch.load(path, map_location=self.args.device, weights_only=True)
        if state["vocabulary"] != self.tokenizer.get_vocab():
            raise SystemExit(f"{path} is of another vocabulary than {self.args.vocab}; name another --to, or remove it")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates, self.seconds = state["updates"], state["seconds"]
        print(f"goes on from {path}: {self.updates} updates, {self.seconds / 60:.1f} min", flush=True)

    def save_checkpoint(self) -> None:
        """Writes what `resume` reads; a reader never sees half a file."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        clock = {"updates": self.updates, "seconds": self.seconds}
        with whole_files(self.args.to) as workshop:
            torch.save({**state, **clock, "vocabulary": self.tokenizer.get_vocab()}, workshop / CHECKPOINT)

    def batches(self) -> Iterator[Batch]:
        """Yields batches without end; a run that goes on draws new ones."""
        rng = np.random.default_rng([self.args.seed, self.updates])
        while True:
            yield from self.masker.batches(self.texts.train, rng)

    def update(self, batch: Batch) -> float:
        """Does one update and returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.args.lr, self.seconds / (60 * self.args.minutes))
        loss = masked_loss(self.model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.updates += 1
        return loss.item()

    def run(self) -> None:
        """Trains until the time is over, then saves the model."""
        budget, begun = 60 * self.args.minutes, time.monotonic() - self.seconds
        logged = saved = self.seconds
        losses, tokens, batches = [], 0, self.batches()
        while self.seconds < budget:
            batch = next(batches)
            losses.append(self.update(batch))
            tokens += int((batch.pieces != self.tokenizer.pad_token_id).sum())
            self.seconds = time.monotonic() - begun
            over = self.seconds >= budget
            if over or self.seconds - saved > self.args.save_seconds:
                self.save_checkpoint()
                held_out = held_out_loss(self.model, self.masker, self.texts.valid)
                print(f"held-out loss {held_out:.3f}", flush=True)
                saved = self.seconds
            if over or self.seconds - logged > LOG_SECONDS:
                self.log(sum(losses) / len(losses), tokens / (self.seconds - logged))
                losses, tokens, logged = [], 0, self.seconds
        self.save()

    def log(self, loss: float, speed: float) -> None:
        """Prints updates, mean loss since the last line, learning rate, tokens a second and time left."""
        left = max(0.0, self.args.minutes - self.seconds / 60)
        rate = self.optimizer.param_groups[0]["lr"]
        told = f"update {self.updates} loss {loss:.3f} lr {rate:.2e} {speed:,.0f} tokens/s {left:.1f} min left"
        print(told if math.isfinite(loss) else f"{told} (diverged: take a lower --lr)", flush=True)

    def save(self) -> None:
        """Saves the model in half precision and its vocabulary, as published models are."""
        self.model.half().cpu().save_pretrained(self.args.to)
        self.tokenizer.save_pretrained(self.args.to)
        pieces = self.tokenizer.convert_ids_to_tokens(list(range(len(self.tokenizer))))
        (self.args.to / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
        (self.args.to / CHECKPOINT).unlink()


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pairs",
        type=Path,
        nargs="+",
        required=True,
        help="folders with train.{src,tgt}; held-out text: the first's valid.*",
    )
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="files with more text, one a line")
    parser.add_argument("--vocab", type=Path, required=True, help="vocab.txt (preprocess/wordpiece_vocabulary.py)")
    parser.add_argument("--to", type=Path, required=True, help="folder of the model")
    parser.add_argument("--cased", action="store_true", help="the vocabulary has upper case and accents")
    parser.add_argument("--start-from", type=Path, metavar="DIR", help="an encoder of the same size (default: none)")
    parser.add_argument("--minutes", type=float, default=75, help="how long to train (default: %(default)s)")
    parser.add_argument(
        "--repeat",
        type=int,
        default=2,
        help="how often the first folder is read in an epoch (default: %(default)s)",
    )
    parser.add_argument("--lr", type=float, default=1e-3, help="highest learning rate (default: %(default)s)")
    parser.add_argument(
        "--max-tokens",
        type=int,
        default=2048,
        help="pieces in a batch; 6,000 do not learn (default: %(default)s)",
    )
    parser.add_argument("--max-length", type=int, default=200, help="pieces in a text (default: %(default)s)")
    parser.add_argument("--dropout", type=float, default=0.05, help="(default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--save-seconds", type=float, default=180, help="between checkpoints (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    """Runs the command."""
    args = parse_arguments()
    torch.manual_seed(args.seed)
    args.to.mkdir(parents=True, exist_ok=True)
    tokenizer = BertTokenizer(vocab=str(args.vocab), do_lower_case=not args.cased)
    texts = read_all(args, tokenizer)
    pieces = sum(len(text.source) + len(text.target) for text in texts.train)
    print(
        f"{len(texts.train):,} texts, {pieces:,} pieces an epoch; {len(texts.valid):,} texts held out",
        flush=True,
    )
    Training(args, tokenizer, texts).run()


if __name__ == "__main__":
    main()
