"""Start-up: what the plugin adds to the time until fairseq's commands are ready."""

from functools import partial
from statistics import median

from ..processes import run, script
from ..protocol import Side, Spread, alternate
from ..results import Result, Row, Target
from ..texts import PLUGIN
from . import FULL, SMALLEST, Settings

COMMANDS = {SMALLEST: ["fairseq-train"], FULL: ["fairseq-train", "fairseq-generate"]}
BARE, OURS = "bare fairseq", "with the plugin"
LIMIT = Target(0.5, at_least=False)


def measure(settings: Settings) -> Result:
    """Times ``--help``, which comes after everything is imported and registered."""
    return Result("Start-up", [row(command, settings.rounds) for command in settings.pick(COMMANDS)])


def row(command: str, rounds: int) -> Row:
    """The difference for a command, round by round."""
    words = [script(command), "--help"]
    sides = [Side(BARE, partial(run, words), 1), Side(OURS, partial(run, [*words, *PLUGIN]), 1)]
    rates = alternate(sides, rounds=rounds, title=command)
    added = Spread.of([1 / ours - 1 / bare for ours, bare in zip(rates[OURS], rates[BARE])])
    what = f"{command} --help: added ({added.low:.2f} to {added.high:.2f})"
    return Row(what, "s", added.median, 1 / median(rates[BARE]), f"all of {BARE}", target=LIMIT)
