"""Pages in a headless browser: what it draws, says and asks for."""

from pathlib import Path
from typing import Any

from choreographer import Browser

from mitool.report import find_browser

DRAWN = """Array.from(document.querySelectorAll(".plot"))
  .filter((plot) => plot.querySelector(".main-svg") && plot.getBoundingClientRect().width > 0)
  .map((plot) => plot.id.slice("figure-".length))"""
"""The names of the figures that are drawn and shown."""

KEYS = {"ArrowDown": 40}
"""The numbers of keys."""

SETTLED = """new Promise((done) => {
  let before = -1;
  const check = () => {
    const now = document.getElementsByTagName("*").length;
    const plots = Array.from(document.querySelectorAll(".plot:not([hidden] *)"));
    const drawn = plots.every((plot) => plot.querySelector(".main-svg"));
    if (drawn && now === before) return done(true);
    before = now;
    setTimeout(() => requestAnimationFrame(check), 40);
  };
  requestAnimationFrame(check);
})"""
"""Waits until a page has drawn what it draws."""

PROBE = (Path(__file__).parent / "probe.js").read_text()


class Page:
    """A page that is open.

    Attributes:
        requests: what it asked for, itself left out.
        errors: what its scripts raised, or wrote to the console.
    """

    def __init__(self, browser: Any, tab: Any) -> None:
        self._browser, self._tab = browser, tab
        self.requests: list[str] = []
        self.errors: list[str] = []

    async def open(self, path: Path, width: int) -> None:
        url = path.resolve().as_uri()
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self._tab.send_command(f"{domain}.enable")
        self._tab.subscribe("Network.requestWillBeSent", self._requested(url))
        for event in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self._tab.subscribe(event, self._failed)
        await self._size(width)
        loaded = self._tab.subscribe_once("Page.loadEventFired")
        await self._tab.send_command("Page.navigate", {"url": url})
        await loaded
        await self.evaluate(SETTLED)

    async def close(self) -> None:
        await self._browser.close_tab(self._tab.target_id)

    async def resize(self, width: int) -> None:
        await self._size(width)
        await self.evaluate(SETTLED)

    async def _size(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        await self._tab.send_command("Emulation.setDeviceMetricsOverride", size)

    async def probe(self) -> dict[str, Any]:
        """What a reader sees, as ``probe.js`` finds it."""
        found: dict[str, Any] = await self.evaluate(PROBE)
        return found

    async def evaluate(self, script: str) -> Any:
        asked = {"expression": script, "returnByValue": True, "awaitPromise": True}
        answer = await self._tab.send_command("Runtime.evaluate", asked)
        assert "exceptionDetails" not in answer["result"], answer
        return answer["result"]["result"].get("value")

    async def drawn(self) -> list[str]:
        found: list[str] = await self.evaluate(DRAWN)
        return found

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            event = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            await self._tab.send_command("Input.dispatchKeyEvent", event)

    async def choose_next(self) -> None:
        """By the keyboard, in the order of what can be chosen."""
        await self.evaluate('document.getElementById("chooser").focus()')
        await self.press("ArrowDown")
        await self.evaluate(SETTLED)

    def _requested(self, own: str) -> Any:
        async def note(event: Any) -> None:
            url = event["params"]["request"]["url"]
            if url != own and not url.startswith(("data:", "blob:")):
                self.requests.append(url)

        return note

    async def _failed(self, event: Any) -> None:
        self.errors.append(str(event["params"])[:600])


async def opened(browser: Any, path: Path, width: int = 1280) -> Page:
    page = Page(browser, await browser.create_tab())
    await page.open(path, width)
    return page


def a_browser() -> Browser:
    return Browser(find_browser())
