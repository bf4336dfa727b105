"""Signs of life on standard error: a bar on a terminal, a line a step in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def steps(total: int, title: str) -> Iterator[Callable[[], None]]:
    """A function to be called after each of ``total`` steps."""
    done = 0
    with tqdm(total=total, desc=title, disable=None) as bar:

        def step() -> None:
            nonlocal done
            done += 1
            bar.update()
            if not sys.stderr.isatty():
                say(f"{title}: {done} of {total}")

        yield step


def say(line: str) -> None:
    """Writes a line at once."""
    print(line, file=sys.stderr, flush=True)
