// Predictions → a list with bars. Numbers are text, bars decoration, rows no buttons. Knows nothing of
// where the list is shown.

import { percent } from "./numbers.js";
import { language } from "./strings.js";

// For a document or a shadow root: `root.adoptedStyleSheets = [barsSheet(), …]`, which any CSP allows.
export function barsSheet() {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    .bars { list-style: none; margin: 0; padding: 0; }
    .bars li {
      position: relative; display: flex; justify-content: space-between; gap: .75em; z-index: 0;
      padding: .25em .6em; margin-block-end: .25em; border-radius: .3em; overflow: hidden;
    }
    .bars li:first-child { font-weight: 600; }
    .bars-label { overflow-wrap: anywhere; min-width: 0; }
    .bars-share { white-space: nowrap; font-variant-numeric: tabular-nums; }
    .bars-bar {
      position: absolute; inset: 0 auto 0 0; z-index: -1; border-radius: inherit; min-width: 2px;
      background: var(--bar, light-dark(#c9d6fb, #2c427c));
    }
    @media (forced-colors: active) { .bars-bar { border-block-end: 3px solid Highlight; } }
  `);
  return sheet;
}

// <ol class="bars">; each row has the part "row", its bar the part "bar".
export function bars(predictions, locale = language) {
  const list = document.createElement("ol");
  list.className = "bars";
  list.setAttribute("role", "list"); // Safari drops it where no marker is shown
  for (const { label, probability } of predictions) {
    const row = document.createElement("li");
    row.part = "row";
    const name = piece("bars-label", label), share = piece("bars-share", percent(probability, locale));
    const bar = piece("bars-bar", "");
    bar.part = "bar";
    bar.ariaHidden = "true";
    bar.style.width = `${probability * 100}%`;
    row.append(name, " ", share, bar);
    list.append(row);
  }
  return list;
}

function piece(name, text) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}
