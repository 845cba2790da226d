"""The viewer in a real browser: Chromium without a screen, software WebGL."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image
from toy_scene import FRAMES, toy_scene

from marrow.view.app import open_viewer
from marrow.view.html import write_html

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright comes with the test extra")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium found: apt-get install chromium (or make browser)"
)
PATIENCE = 120.0


class Page:
    """A browser page that keeps what went wrong and whom it called."""

    def __init__(self, page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def picture(self) -> np.ndarray:
        """The 3-D view without the controls at its right and the notice at its upper left."""
        image = Image.open(io.BytesIO(self.page.screenshot()))
        return np.asarray(image.convert("RGB"))[:, 280:620].astype(int)

    def wait_for(self, condition: Callable[[np.ndarray], bool], what: str) -> np.ndarray:
        """The first picture that fulfils a condition; fails with ``what`` after two minutes."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            picture = self.picture()
            if condition(picture):
                return picture
            self.page.wait_for_timeout(250)
        pytest.fail(f"not within {PATIENCE:.0f} s: {what}")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*options, "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 960, "height": 440})
    page.set_default_timeout(1000 * PATIENCE)
    yield Page(page)
    page.close()


def blue(picture: np.ndarray) -> np.ndarray:
    """Where person 1's skin is."""
    return (picture[..., 2] - picture[..., 0] > 20) & (picture[..., 2] > 120)


def orange(picture: np.ndarray) -> np.ndarray:
    """Where person 2's skin is."""
    return (picture[..., 0] - picture[..., 2] > 20) & (picture[..., 0] > 120)


def both(picture: np.ndarray) -> bool:
    return bool(blue(picture).sum() > 200 and orange(picture).sum() > 200)


def changed(a: np.ndarray, b: np.ndarray) -> float:
    return float((np.abs(a - b).max(-1) > 12).mean())


def test_page_shows_people_and_obeys_its_controls(page):
    with open_viewer(toy_scene(), port=8395) as viewer:
        page.page.goto(viewer.url)
        start = page.wait_for(both, "both people on the page")
        assert len(np.unique(start.reshape(-1, 3), axis=0)) > 200

        thumb = page.page.get_by_role("slider").first
        thumb.focus()
        page.page.keyboard.press("End")
        end = page.wait_for(lambda now: changed(start, now) > 0.02 and both(now), "the slider moves the people")
        assert viewer.frame == FRAMES - 1
        assert np.argwhere(blue(end)).mean(0)[0] > np.argwhere(blue(start)).mean(0)[0]  # nearer is lower

        viewer.seek(FRAMES // 3)
        page.wait_for(lambda now: blue(now).sum() > 200 and orange(now).sum() < 40, "person 2 is absent")
        page.page.get_by_text("person 1", exact=True).wait_for()
        viewer.seek(0)
        page.wait_for(both, "person 2 is back")
        page.page.get_by_label("person 1").first.click(force=True)
        page.wait_for(lambda now: blue(now).sum() < 40 and orange(now).sum() > 200, "person 1 is switched off")

        page.page.get_by_role("button", name="Play").click()
        deadline = time.monotonic() + PATIENCE
        while viewer.frame == 0 and time.monotonic() < deadline:
            page.page.wait_for_timeout(100)
        assert viewer.frame > 0
        page.page.get_by_role("button", name="Pause").click()

        viewer.seek(0)
        before = page.wait_for(lambda now: orange(now).sum() > 200, "person 2 at the start")
        page.page.get_by_role("button", name="Look through the camera").click()
        page.wait_for(lambda now: changed(before, now) > 0.05 and orange(now).sum() > 200, "the camera's view")

        assert page.page.get_by_label("Share").count() == 0
        assert "share" not in page.page.inner_text("body").lower()
    assert not page.errors
    assert all(url.startswith((viewer.url, "blob:", "data:")) for url in page.requests)


def test_html_file_plays_without_a_server(page, tmp_path):
    path = tmp_path / "walk.html"
    write_html(path, toy_scene())
    assert path.stat().st_size < 4_000_000
    page.page.goto(path.as_uri())
    first = page.wait_for(both, "both people in the file")
    page.wait_for(lambda now: changed(first, now) > 0.01, "the animation runs")
    assert not page.errors
    assert all(url.startswith(("file:", "blob:", "data:")) for url in page.requests)
