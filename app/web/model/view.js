// The card of the network on show, for people: what it knows, how good it is, how it was made.

import { thousands } from "../embed/numbers.js";
import { confusionCard } from "./confusion.js";
import { button, el, icon } from "../dom.js";
import { call, curlOptions } from "../key.js";
import { address } from "../address.js";
import { problemNote } from "../problem.js";
import { publishedCard, scoreCard } from "./score.js";
import { client, shared } from "../state.js";
import { t } from "../strings.js";
import { trainingCards } from "./training.js";

export function mount(root) {
  const { model, card } = shared;
  root.append(
    el("h1", {}, model.name),
    card.description && el("p", { class: "lead", lang: "en" }, card.description),
    el("div", { class: "row about" },
      el("span", { class: `chip ${model.proven ? "proven" : ""}` }, icon(model.proven ? "check" : "unsure"), t(model.proven ? "model.proven" : "model.unproven")),
      el("span", { class: "chip" }, t("model.version", { version: model.version })),
      card.license && el("span", { class: "chip" }, t("model.license", { license: card.license })),
      download(model.name)),
    el("div", { class: "cards" },
      el("div", { class: "left" },
        el("section", { class: "card", "aria-labelledby": "what-title" }, el("h2", { id: "what-title" }, t("model.what")), facts(whatItIs(model, card))),
        el("section", { class: "card", "aria-labelledby": "made-title", hidden: !card.dataset && !card.author && !Object.keys(card.made_with).length },
          el("h2", { id: "made-title" }, t("model.made")), facts(howItWasMade(card)))),
      card.metrics && scoreCard(card),
      card.published && publishedCard(card.published),
      card.confusion && confusionCard(card),
      trainingCards(card)));
}

// [term, …content] a row; what is null is left out.
export function facts(rows) {
  return el("dl", { class: "facts" }, rows.filter((row) => row && row[1]).map(([term, ...content]) => el("div", {}, el("dt", {}, term), el("dd", {}, content))));
}

function whatItIs(model, card) {
  const { preprocess, layers, proof } = card;
  const sum = (name) => layers.reduce((total, layer) => total + layer[name], 0);
  return [
    [t("model.knows", { n: thousands(card.labels.length) }), labels(card.labels)],
    [t("model.takes"), t(preprocess.channels === 1 ? "model.grey" : "model.rgb", { width: preprocess.width, height: preprocess.height }),
      el("p", { class: "quiet" }, t(`model.layout.${preprocess.layout}`)),
      el("p", { class: "quiet" }, t("model.resample", { filter: preprocess.resample }), " ", background(preprocess.background))],
    layers.length && [t("model.network"), t("model.layers", { layers: thousands(layers.length), parameters: thousands(sum("parameters")), adds: thousands(sum("multiply_adds")) }),
      shared.inside && el("p", {}, el("a", { href: address("inside") }, t("model.toInside")))],
    [t("model.proof"), proof ? t("model.proofYes", { images: proof.images, tolerance: proof.tolerance }) : t("model.proofNo")],
  ];
}

const FEW = 40; // classes that are all in sight at once

function labels(names) {
  const list = (some) => el("ul", { class: "chips", role: "list" }, some.map((name) => el("li", { class: "chip" }, name)));
  if (names.length <= FEW) return list(names);
  return el("details", {}, el("summary", {}, t("model.allClasses")), list(names));
}

function background(levels) {
  return el("span", {}, t("model.background"), " ", el("span", { class: "swatch", role: "img", "aria-label": `RGB ${levels.join(", ")}`, style: { "background-color": `rgb(${levels.join(" ")})` } }));
}

function howItWasMade({ author, dataset, made_with: { date, commit, ...software } }) {
  return [
    [t("model.author"), author],
    dataset && [t("model.data"), el("span", { class: "mono" }, dataset.name), dataset.sha256 && el("p", { class: "quiet" }, t("model.checksum"), " ", el("code", { class: "long" }, dataset.sha256))],
    [t("model.software"), Object.entries(software).map(([name, version]) => `${name} ${version}`).join(", ")],
    commit && [t("model.commit"), el("code", {}, commit)],
    [t("model.date"), date],
  ];
}

// A link sends no API key: where one is in use, the file comes by the page's own request.
function download(name) {
  const url = client.fileUrl(name);
  if (!curlOptions().length) return el("a", { class: "button", href: url, download: `${name}.onnx` }, icon("download"), t("model.download"));
  const place = el("span", { class: "row" }, button("download", t("model.download"), async () => {
    try {
      const response = await call(url);
      if (!response.ok) throw Object.assign(new Error(), await response.json());
      const link = el("a", { href: URL.createObjectURL(await response.blob()), download: `${name}.onnx` });
      link.click();
      setTimeout(URL.revokeObjectURL, 10_000, link.href); // some browsers read it later
    } catch (error) {
      place.append(problemNote(error.code ? error : { code: "unreachable" }));
    }
  }));
  return place;
}
