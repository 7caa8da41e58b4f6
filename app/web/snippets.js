// The call that this page makes, for other programs: they run exactly as they stand, which a test
// tries. Knows nothing of what comes back. An API key is never shown; it is read from $CONVOLU_KEY.

import { copyButton } from "./copy.js";
import { el } from "./dom.js";
import { curlOptions } from "./key.js";
import { shared } from "./state.js";
import { t } from "./strings.js";

export const HOME = new URL("..", import.meta.url).href; // where the service is, behind any proxy
let chosen = 0; // the language that the person looked at last
let count = 0; // so that ids differ

// Name → code, for a file of this name beside the program. Python's is JSON's way to quote a string.
export function snippets(filename) {
  const keyed = curlOptions().length > 0, name = JSON.stringify(filename), url = address("predict");
  return {
    curl: curl("predict", filename),
    Python: `${keyed ? "import os\n" : ""}import requests  # pip install requests

with open(${name}, "rb") as file:
    response = requests.post(
        "${url}",
        files={"file": file},${keyed ? '\n        headers={"Authorization": "Bearer " + os.environ["CONVOLU_KEY"]},' : ""}
        timeout=10,
    )
answer = response.json()
if not response.ok:
    raise SystemExit(answer["detail"])
for row in answer["predictions"]:
    print(row["label"], row["probability"])`,
    JavaScript: `import { readFile } from "node:fs/promises"; // Node.js 20; save it as predict.mjs

const body = new FormData();
body.append("file", new Blob([await readFile(${name})]), ${name});
const response = await fetch("${url}", {
  method: "POST",
  body,${keyed ? "\n  headers: { Authorization: `Bearer ${process.env.CONVOLU_KEY}` }," : ""}
});
const answer = await response.json();
if (!response.ok) throw new Error(answer.detail);
for (const { label, probability } of answer.predictions) console.log(label, probability);`,
  };
}

// The same file to another resource of the service, for the same network.
export function curl(path, filename) {
  const url = address(path);
  return ["curl", ...curlOptions(), "-F", formField(filename), url.includes("?") ? shell(url) : url].join(" ");
}

function address(path) {
  const { model } = shared;
  return `${HOME}${path}${model.default ? "" : `?model=${encodeURIComponent(model.name)}`}`;
}

// curl reads , and ; in a file's name as its own, unless it stands in quotes.
function formField(filename) {
  if (/^[\p{L}\p{N}_.-]+$/u.test(filename)) return `file=@${filename}`;
  return shell(`file=@"${filename.replace(/["\\]/g, "\\$&")}"`);
}

function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// Tabs after ARIA's pattern: one tab stop, arrows move and choose, the panel is the next stop.
export function snippetTabs(filename) {
  const all = Object.entries(snippets(filename)), id = `snippets-${count++}`;
  const panel = el("div", { class: "code", role: "tabpanel", id, tabindex: 0 });
  const tabs = all.map(([name], index) => el("button", {
    type: "button", role: "tab", id: `${id}-${index}`, "aria-controls": id, onclick: () => choose(index),
  }, name));
  const copier = el("div", { class: "copier" });

  function choose(index) {
    chosen = index;
    tabs.forEach((tab, number) => {
      tab.ariaSelected = `${number === index}`;
      tab.tabIndex = number === index ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", tabs[index].id);
    panel.replaceChildren(el("pre", {}, el("code", {}, all[index][1])));
    copier.replaceChildren(copyButton(() => all[index][1], panel));
  }

  const list = el("div", { class: "tabs", role: "tablist", "aria-label": t("use.languages"), onkeydown: (event) => {
    const last = tabs.length - 1;
    const next = {
      ArrowRight: chosen === last ? 0 : chosen + 1, ArrowLeft: chosen === 0 ? last : chosen - 1, Home: 0, End: last,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
    tabs[next].focus();
  } }, tabs);
  choose(chosen);
  return el("div", { class: "snippets" }, el("div", { class: "row" }, list, copier), panel);
}

// One piece of code with its button to copy it; `name` is what it is called.
export function snippet(name, code) {
  const panel = el("div", { class: "code", role: "region", "aria-label": name, tabindex: 0 }, el("pre", {}, el("code", {}, code)));
  return el("div", { class: "snippets" }, el("div", { class: "row" }, el("h3", {}, name), el("div", { class: "copier" }, copyButton(() => code, panel))), panel);
}
