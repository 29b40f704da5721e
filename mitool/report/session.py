"""Kaleido's browser, whose page is not loaded anew after every figure."""

from typing import Any

from kaleido import Kaleido


class DrawingSession(Kaleido):
    """A browser that draws one figure after the other on one page.

    Kaleido loads its page, with 4.5 MB of plotly, again after each figure, which is half of the
    time that figures take; ``Plotly.toImage`` leaves nothing on a page, and images are the same,
    byte for byte. The method is none of Kaleido's public ones (1.0 to 1.5 have it): in a version
    without it, pages are loaded again.
    """

    async def _return_kaleido_tab(self, tab: Any) -> None:
        await self.tabs_ready.put(tab)
