"""How long after the server's answer has come the page shows it: the page's own part of waiting.

`python -m benchmarks.page`; needs Chromium.
"""

from __future__ import annotations

import json
import shutil

from playwright.sync_api import sync_playwright

from benchmarks.machine import machine
from tests.web.conftest import live_service

ROUNDS = 50
# From the last byte of the answer until the second frame after it stands in the document.
MEASURE = """async (number) => {
  performance.clearResourceTimings();
  const bars = new Promise((resolve) => {
    const answer = document.querySelector("[aria-labelledby=answer-title]");
    const observer = new MutationObserver(() => {
      if (!answer.querySelector(".bars")) return;
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now())));
    });
    observer.observe(answer, { childList: true, subtree: true });
  });
  document.querySelectorAll(".samples button")[number].click();
  const shown = await bars;
  const answers = performance.getEntriesByType("resource");
  const [entry] = answers.filter(({ name }) => name.includes("/predict"));
  return shown - entry.responseEnd;
}"""


def main() -> None:
    """Ask for sample after sample and print the times in milliseconds."""
    print(json.dumps(machine()))
    with live_service() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector(".samples button")
        taken = [page.evaluate(MEASURE, number % 10) for number in range(ROUNDS)]
        print(
            f"the first answer {taken[0]:.0f} ms after the server's; of {ROUNDS}: "
            f"median {sorted(taken)[ROUNDS // 2]:.0f} ms, slowest {max(taken):.0f} ms"
        )
        browser.close()


if __name__ == "__main__":
    main()
