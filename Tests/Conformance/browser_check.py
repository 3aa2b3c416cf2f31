#!/usr/bin/env python3
"""Checks the layout of an HTML report in Chromium, at the width of a phone and of a desktop, in light and dark mode.

Fails if the page is wider than the window, an element reaches beyond the right edge of the window, a figure is missing
or too small, an image is broken, letters are too small, or a text leaves its drawing or overlaps another text. Also
fails if the page writes to the console, opens a dialog or requests anything from the network. Writes two screenshots to
FOLDER for each width and mode: phone-dark-closed.png, for example, shows the page as it opens, and phone-dark.png shows
it with all details opened.

usage: python3 browser_check.py PAGE.html FOLDER [FIGURE…]    (standard library; chromium in PATH)
       FIGURE: the name of a figure that the page must have; without names, the page must have at least one figure
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile

SIZES = {"phone": (390, 844, True), "desktop": (1280, 900, False)}

# JavaScript that opens all details and returns the size of the page, the names of the figures, and the problems.
# Positions are in pixels of the window. Texts in an SVG drawing are compared with the rectangle of the drawing.
PROBE = r"""
(() => {
  const shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility === "visible";
  const name = f => f.dataset.name;
  const problems = [];
  for (const d of document.querySelectorAll("details")) d.open = true;
  const root = document.documentElement;
  const figures = [...document.querySelectorAll("figure")];
  for (const f of figures) {
    const content = [...f.querySelectorAll("svg.fig, table, ul.images")].filter(shown);
    if (content.length !== 1) problems.push(`${name(f)}: ${content.length} charts are shown`);
    for (const i of f.querySelectorAll("img")) if (!i.complete || !i.naturalWidth)
      problems.push(`${name(f)}: a broken image`);
    for (const svg of content.filter(e => e.matches("svg"))) {
      const box = svg.getBoundingClientRect();
      if (box.width < 100 || box.height < 10) problems.push(`${name(f)}: ${box.width} x ${box.height} pixels`);
      const scale = box.width / svg.viewBox.baseVal.width;
      const texts = [...svg.querySelectorAll("text")].filter(t => t.textContent.trim());
      const places = texts.map(t => t.getBoundingClientRect());
      texts.forEach((t, i) => {
        const size = parseFloat(getComputedStyle(t).fontSize) * scale;
        if (size < 8.9)
          problems.push(`${name(f)}: letters of ${size.toFixed(1)} pixels: ${t.textContent.slice(0, 30)}`);
        const r = places[i];
        if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1)
          problems.push(`${name(f)}: text leaves the picture: ${t.textContent.slice(0, 30)}`);
      });
      // Line boxes are higher than letters, so two boxes may overlap by up to 0.3 of their shortest side.
      for (let i = 0; i < Math.min(places.length, 400); i++)
        for (let j = i + 1; j < Math.min(places.length, 400); j++) {
        const a = places[i], b = places[j];
        const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        const limit = Math.min(a.width, a.height, b.width, b.height) * 0.3;
        if (x > limit && y > limit)
          problems.push(
            `${name(f)}: "${texts[i].textContent.slice(0, 20)}" lies on "${texts[j].textContent.slice(0, 20)}"`);
      }
    }
  }
  for (const e of document.querySelectorAll("main *")) {
    if (e.closest("svg, .scroll") && !e.matches(".scroll, svg")) continue;
    if (e.closest(".scroll") && !e.matches(".scroll")) continue;
    const r = e.getBoundingClientRect();
    if (shown(e) && r.right > root.clientWidth + 1) problems.push(`${e.tagName}.${e.className} reaches ${r.right}`);
  }
  return {scrollWidth: root.scrollWidth, clientWidth: root.clientWidth, height: root.scrollHeight,
    figures: figures.map(name), problems};
})()
"""


class Browser:
    """Chromium, controlled through the pipes of its debugging protocol."""

    def __init__(self):
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if path is None:
            sys.exit("chromium is not in PATH")
        self.profile = tempfile.TemporaryDirectory()
        here, there = os.pipe(), os.pipe()
        arguments = [
            path,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
            "--disable-background-networking",
            f"--user-data-dir={self.profile.name}",
            "about:blank",
        ]

        def wire():
            # The browser reads commands from descriptor 3 and writes answers to 4. The pipes may already have the
            # numbers 3 or 4, so they get other numbers first.
            a, b = os.dup2(here[0], 103), os.dup2(there[1], 104)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            arguments, preexec_fn=wire, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(here[0])
        os.close(there[1])
        self.output, self.input = os.fdopen(here[1], "wb"), os.fdopen(there[0], "rb")
        self.numbers, self.events, self.rest = itertools.count(1), [], b""
        target = self.call("Target.createTarget", {"url": "about:blank"}, None)["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True}, None)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def read(self):
        while b"\0" not in self.rest:
            part = os.read(self.input.fileno(), 1 << 20)
            if not part:
                sys.exit("chromium ended")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, parameters=None, session=True):
        message = {"id": next(self.numbers), "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = self.session
        self.output.write(json.dumps(message).encode() + b"\0")
        self.output.flush()
        while True:
            answer = self.read()
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, address):
        self.events = []
        self.call("Page.navigate", {"url": address})
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.read())

    def evaluate(self, text):
        answer = self.call("Runtime.evaluate", {"expression": text, "returnByValue": True})
        if "exceptionDetails" in answer:
            sys.exit(f"{answer['exceptionDetails']}")
        return answer["result"]["value"]

    def picture(self, width, height):
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, 12000), "scale": 1}
        answer = self.call("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        return base64.b64decode(answer["data"])

    def close(self):
        self.call("Browser.close", session=None)
        self.process.wait()
        self.profile.cleanup()


def complaints(events, address):
    """The messages on the console, dialogs, and requests for anything but the page itself and its embedded data."""
    for event in events:
        method, data = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent" and not data["request"]["url"].startswith(("data:", address)):
            yield f"a request for {data['request']['url'][:100]}"
        if method == "Log.entryAdded" and data["entry"]["level"] in ("error", "warning"):
            yield f"console: {data['entry']['text'][:200]}"
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening"):
            yield f"{method}: {json.dumps(data)[:200]}"


def main():
    page, folder, wanted = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    os.makedirs(folder, exist_ok=True)
    browser, address, failures = Browser(), f"file://{page}", []
    for name, (width, height, is_phone) in SIZES.items():
        for scheme in ("light", "dark"):
            browser.call(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone},
            )
            browser.call(
                "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            )
            browser.open(address)
            with open(os.path.join(folder, f"{name}-{scheme}-closed.png"), "wb") as file:
                file.write(browser.picture(width, browser.evaluate("document.documentElement.scrollHeight")))
            found = browser.evaluate(PROBE)
            with open(os.path.join(folder, f"{name}-{scheme}.png"), "wb") as file:
                file.write(browser.picture(width, found["height"]))
            problems = found["problems"] + list(complaints(browser.events, address))
            if found["scrollWidth"] > found["clientWidth"] or found["clientWidth"] != width:
                problems.append(f"the page is {found['scrollWidth']} pixels wide in a window of {found['clientWidth']}")
            missing = [f for f in wanted if f not in found["figures"]] or ([] if found["figures"] else ["any"])
            problems += [f"no figure {f}" for f in missing]
            failures += [f"{name}, {scheme}: {p}" for p in problems]
            print(f"{name}, {scheme}: {len(found['figures'])} figures, {len(problems)} problems")
    browser.close()
    for failure in failures[:60]:
        print(failure)
    sys.exit(1 if failures else 0)


main()
