"""Pages in a real browser, where one is installed."""

import json
import re
import shutil
import subprocess
from html import escape, unescape

import pytest

FITS = """
const root = document.documentElement;
const low = [...document.querySelectorAll("svg.circuit .gate .shape")].filter(
  e => e.checkVisibility() && !e.getBoundingClientRect().width);
const wide = [...document.querySelectorAll("main *")].filter(
  e => !e.closest(".scroll") && e.getBoundingClientRect().right > root.clientWidth + 1).map(e => e.outerHTML);
return [root.scrollWidth, root.clientWidth, innerWidth, low.length, wide.length, wide[0] || ""];
"""


def told_by(path, width, script):
    """What a function's body returns on a page, all of whose details are open, in a window of this width."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium on this machine")
    text = re.sub(r"<meta http-equiv=[^>]*>", "", path.read_text(encoding="utf-8"))
    probe = f"<script>parent.document.title = JSON.stringify((() => {{{script}}})());</script>"
    text = escape(text.replace("</main>", f"</main>{probe}").replace("<details>", "<details open>"))
    # A frame, because a window cannot be narrower than 500 pixels.
    frame = f'<iframe width="{width}" height="1000" style="border:0" srcdoc="{text}"></iframe>'
    around = path.with_name("probe.html")
    around.write_text(f"<!DOCTYPE html><title></title>{frame}", encoding="utf-8")
    options = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars"
    options += " --disable-component-update --disable-sync --dump-dom --window-size=1400,1000"
    profile = f"--user-data-dir={path.with_name('profile')}"
    command = [browser, *options.split(), profile, around.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    return json.loads(unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL).group(1)))


def check_fits(path, width):
    """Nothing is wider than the window but in boxes that scroll, and every gate is drawn."""
    scroll, client, inner, invisible, wide, first = told_by(path, width, FITS)
    assert inner == width
    assert scroll <= client
    assert wide == 0, first
    assert invisible == 0
