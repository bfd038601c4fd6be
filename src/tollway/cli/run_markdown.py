"""The answer on a terminal: whole blocks of Markdown are printed for good, the one under way is drawn anew as it grows.

So a long answer costs what its last block costs, and what has scrolled away stays as it is.
"""

from typing import Final

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.text import Text

from tollway.client.terminal_text import finished_blocks
from tollway.clock import monotonic

_DRAW_EVERY_S: Final = 0.08


class MarkdownScreen:
    """On standard output, which is a terminal. Texts must be fit for one."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._pending = ""
        self._drawn_at = 0.0
        self._thinks = False

    def reasoning(self, text: str) -> None:
        """A piece of what comes before the answer."""
        self._thinks = True
        self._console.print(Text(text, style="dim italic"), end="", soft_wrap=True)

    def answer(self, text: str) -> None:
        """A piece of it."""
        self._end_reasoning()
        self._pending += text
        whole = finished_blocks(self._pending)
        if whole:
            self._stop_drawing()
            self._print(self._pending[:whole])
            self._pending = self._pending[whole:]
        self._draw()

    def end(self) -> None:
        """Nothing more comes for now."""
        self._end_reasoning()
        self._stop_drawing()
        self._print(self._pending)
        self._pending = ""

    def _end_reasoning(self) -> None:
        if self._thinks:
            self._thinks = False
            self._console.print("\n")

    def _print(self, text: str) -> None:
        """Blocks, and the blank line that parts them from what follows."""
        if text.strip():
            self._console.print(_rendered(text))
            self._console.print()

    def _draw(self) -> None:
        if self._console.is_dumb_terminal or not self._pending.strip():
            return
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="ellipsis")
            self._live.start()
        now = monotonic()
        if now - self._drawn_at >= _DRAW_EVERY_S:
            self._drawn_at = now
            self._live.update(_rendered(self._pending), refresh=True)

    def _stop_drawing(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


def _rendered(text: str) -> Markdown:
    """A link shows where it leads."""
    return Markdown(text, hyperlinks=False)
