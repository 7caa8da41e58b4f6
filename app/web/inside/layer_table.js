// All layers as one table with its totals, and the same as CSV or Markdown for the clipboard. Knows
// nothing of pictures.

import { button, el } from "../dom.js";
import { count, times } from "./figures.js";
import { border, title, whySize, whyWeights } from "./layer_words.js";
import { t } from "../strings.js";

const COLUMNS = [
  "number", "layer", "window", "step", "border", "output", "whySize", "weights", "whyWeights", "multiplyAdds", "sees",
];
const NUMBERS = new Set(["number", "weights", "multiplyAdds"]);

// `inputOf(layer)` is the shape it reads; `link(layer)` where it is looked into, or null.
export function layerTable(layers, inputOf, link) {
  const rows = layers.map((layer, index) => ({ layer, cells: cells(layer, index, inputOf(layer)) }));
  const status = el("span", { role: "status", class: "quiet" });
  const copy = (name, text) => button("copy", t(`inside.table.${name}`), async () => {
    await navigator.clipboard.writeText(text(rows.map((row) => row.cells)));
    status.textContent = t("inside.table.copied");
  });
  return el("section", { class: "card", "aria-labelledby": "inside-table" },
    el("h2", { id: "inside-table" }, t("inside.table.title")),
    el("p", { class: "quiet" }, t("inside.table.lead")),
    el("div", { class: "scroll", tabindex: 0, role: "group", "aria-labelledby": "inside-table" }, table(rows, layers, link)),
    navigator.clipboard ? el("div", { class: "row" }, copy("csv", csv), copy("markdown", markdown), status) : null);
}

function cells(layer, index, input) {
  const size = whySize(layer, input), weights = whyWeights(layer, input);
  const steps = layer.window && (layer.strides ?? [1, 1]);
  return {
    number: index + 1,
    layer: `${layer.name}: ${title(layer)}`,
    window: layer.window ? times(layer.window) : "",
    step: !steps ? "" : steps[0] === steps[1] ? `${steps[0]}` : times(steps),
    border: border(layer),
    output: times(layer.shape),
    whySize: size.formula || size.sentence,
    sizeSentence: size.formula && size.sentence,
    weights: layer.parameters ?? 0,
    whyWeights: weights.formula,
    weightsSentence: weights.sentence,
    multiplyAdds: layer.multiply_adds ?? 0,
    sees: layer.receptive_field ? times(layer.receptive_field) : "",
  };
}

function table(rows, layers, link) {
  const sum = (key) => layers.reduce((total, layer) => total + (layer[key] ?? 0), 0);
  return el("table", { class: "layer-table" },
    el("thead", {}, el("tr", {}, COLUMNS.map((column) => (
      el("th", { scope: "col", class: NUMBERS.has(column) ? "number" : null }, t(`inside.column.${column}`)))))),
    el("tbody", {}, rows.map(({ layer, cells: cell }) => el("tr", {}, COLUMNS.map((column) => {
      if (column === "layer") {
        const name = link(layer) ? el("a", { href: link(layer) }, layer.name) : layer.name;
        return el("th", { scope: "row" }, name, el("small", {}, title(layer)));
      }
      if (column === "whySize") return why(cell.whySize, cell.sizeSentence);
      if (column === "whyWeights") return why(cell.whyWeights, cell.weightsSentence);
      if (!NUMBERS.has(column)) return el("td", { class: "whole" }, cell[column]);
      return el("td", { class: "number" }, column === "number" || cell[column] ? count(cell[column]) : "–");
    })))),
    el("tfoot", {}, el("tr", {},
      el("th", { scope: "row", colspan: 7 }, t("inside.table.total")),
      el("td", { class: "number" }, count(sum("parameters"))),
      el("td", {}, t("inside.table.memory", { size: count(Math.ceil(sum("parameters") * 4 / 1000)) })),
      el("td", { class: "number" }, count(sum("multiply_adds"))), el("td", {}))));
}

// The formula, and behind it the sentence.
function why(formula, sentence) {
  if (!sentence) return el("td", {}, formula);
  return el("td", {}, el("details", {}, el("summary", {}, formula), el("p", {}, sentence)));
}

function csv(rows) {
  const quoted = (text) => (/[",\n]/.test(text) ? `"${String(text).replaceAll('"', '""')}"` : text);
  return lines(rows).map((line) => line.map(quoted).join(",")).join("\n");
}

function markdown(rows) {
  const [head, ...rest] = lines(rows);
  const escaped = (line) => `| ${line.map((text) => String(text).replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = COLUMNS.map((column) => (NUMBERS.has(column) ? "--:" : "---"));
  return [escaped(head), escaped(rule), ...rest.map(escaped)].join("\n");
}

// Numbers stay bare here: another program reads them.
function lines(rows) {
  return [COLUMNS.map((column) => t(`inside.column.${column}`)), ...rows.map((row) => COLUMNS.map((column) => row[column]))];
}
