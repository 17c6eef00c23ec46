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


def told_by(path, widths, script):
    """What a function's body returns on a page, all of whose details are open, in a window of each width."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium on this machine")
    text = re.sub(r"<meta http-equiv=[^>]*>", "", path.read_text(encoding="utf-8"))
    probe = f"<script>parent.told[name] = (() => {{{script}}})(); parent.document.title = JSON.stringify(parent.told);"
    probe += "</script>"
    text = escape(text.replace("</main>", f"</main>{probe}").replace("<details>", "<details open>"))
    # Frames, because a window cannot be narrower than 500 pixels.
    frames = [
        f'<iframe name="{w}" width="{w}" height="1000" style="border:0" srcdoc="{text}"></iframe>' for w in widths
    ]
    around = path.with_name("probe.html")
    around.write_text(f"<!DOCTYPE html><title></title><script>told = {{}}</script>{''.join(frames)}", encoding="utf-8")
    options = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars"
    options += " --disable-component-update --disable-sync --dump-dom --window-size=1400,1000"
    profile = f"--user-data-dir={path.with_name('profile')}"
    command = [browser, *options.split(), profile, around.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    told = json.loads(unescape(re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL).group(1)))
    return [told[str(width)] for width in widths]


def check_fits(path, widths=(1280, 400)):
    """Nothing is wider than the window but in boxes that scroll, and every gate is drawn."""
    for width, found in zip(widths, told_by(path, widths, FITS), strict=True):
        scroll, client, inner, invisible, wide, first = found
        assert inner == width
        assert scroll <= client, width
        assert wide == 0, f"at {width}: {first}"
        assert invisible == 0, width
