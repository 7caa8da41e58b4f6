// Why this answer: which parts of the picture the score of a class depends on, and how that was found
// out. Any class can be asked about ("why not 1?"), and two beside each other.

import { percent } from "../embed/numbers.js";
import { el, icon } from "../dom.js";
import { heatmap } from "./heatmap.js";
import { keepAsking } from "../gone.js";
import { address } from "../address.js";
import { problemNote } from "../problem.js";
import { floats } from "../raster.js";
import { client, pictureOrSample, shared } from "../state.js";
import { t } from "../strings.js";
import { classChooser, compareChooser, lookControls } from "./controls.js";
import { methodCard, signed, valueTable } from "./method.js";

const WORKING_MILLISECONDS = 200; // what is there sooner needs no word
const look = { mode: "both", opacity: 0.75 }; // as the person left it

export async function mount(root, signal, [wantedLabel, wantedMethod]) {
  const body = el("div", {});
  root.append(el("h1", {}, t("why.title")), el("p", { class: "lead" }, t("why.lead")), body);
  if (!shared.inside) return body.append(el("p", { class: "note" }, icon("unsure"), t("why.off")));
  const late = setTimeout(() => body.append(el("p", { class: "quiet" }, t("why.working"))), WORKING_MILLISECONDS);
  const { model, card } = shared;
  try {
    const picture = await keepAsking(pictureOrSample);
    if (!picture) return void (signal.aborted || body.replaceChildren(nothing()));
    const ask = { model: model.name, signal };
    const [answer, seen] = await keepAsking(() => Promise.all([
      client.predict(picture.blob, { ...ask, topK: card.labels.length }), client.seen(picture.blob, ask),
    ]));
    const label = card.labels.includes(wantedLabel) ? wantedLabel : answer.predictions[0].label;
    if (!signal.aborted) explainer(body, signal, { picture, answer, seen, label, method: wantedMethod ?? "auto" });
  } catch (error) {
    if (!signal.aborted) body.replaceChildren(problemNote(error, shared.picture?.blob));
  } finally {
    clearTimeout(late);
  }
}

function nothing() {
  return el("p", { class: "note" }, icon("upload"),
    el("span", {}, t("why.nothing"), " ", el("a", { href: address("classify") }, t("why.toClassify"))));
}

// The whole view, once there are a picture and its answer.
function explainer(body, signal, { picture, answer, seen, label, method }) {
  const { model } = shared;
  const known = new Map(); // "label method" → what POST /explain said
  const figures = el("div", { class: "figures" });
  const under = el("div", {});
  const details = el("section", { class: "card", "aria-labelledby": "how-title", hidden: true });
  let maps = [], asking = new AbortController(), beside = "";
  signal.addEventListener("abort", () => asking.abort());

  async function explained(name, mine) {
    const key = `${method} ${name}`;
    if (!known.has(key)) {
      const found = await keepAsking(() => client.explain(picture.blob, { model: model.name, label: name, method, signal: mine }));
      known.set(key, { ...found, map: { ...found.map, values: floats(found.map.data) } });
    }
    return known.get(key);
  }

  async function show() {
    asking.abort();
    asking = new AbortController();
    const { signal: mine } = asking;
    const late = setTimeout(() => { figures.ariaBusy = "true"; under.replaceChildren(el("p", { class: "quiet", role: "status" }, t("why.working"))); }, WORKING_MILLISECONDS);
    try {
      const all = [await explained(label, mine)];
      if (beside && beside !== label) all.push(await explained(beside, mine)); // one at a time: so does the service
      if (!mine.aborted) draw(all);
    } catch (error) {
      if (mine.aborted) return;
      if (error.code === "invalid_parameter" && method !== "auto") { // this network does not allow it
        method = "auto";
        remember();
        show();
        return;
      }
      figures.replaceChildren(problemNote(error, picture.blob));
      under.replaceChildren();
    } finally {
      clearTimeout(late);
      figures.ariaBusy = "false";
    }
  }

  function draw(all) {
    const strongest = Math.max(...all.flatMap(({ map }) => [...map.values].map(Math.abs)));
    maps = all.map((one) => figure(one, strongest, seen));
    figures.replaceChildren(...maps.map(({ element }) => element));
    for (const { show: paint } of maps) paint(look);
    under.replaceChildren(legend(strongest), ...all.map(valueTable));
    details.hidden = false;
    details.replaceChildren(...methodCard(all, (chosen) => {
      method = chosen;
      remember();
      show();
    }));
  }

  // The address follows, so that it can be sent to somebody; focus stays where it is.
  function remember() {
    history.replaceState(null, "", method === "auto" ? address("why", label) : address("why", label, method));
  }

  const whose = picture.sample === null ? t("why.yours", { name: picture.name }) : t("why.sample", { n: picture.sample });
  body.replaceChildren(
    el("div", { class: "why-grid" },
      el("section", { class: "card", "aria-labelledby": "map-title" },
        el("h2", { id: "map-title" }, t("why.map")),
        el("p", { class: "quiet whose" }, whose),
        lookControls(look, () => maps.forEach(({ show: paint }) => paint(look))),
        figures, under,
        el("p", { class: "note doubt" }, icon("warning"), el("span", {}, t("why.caveat")))),
      el("section", { class: "card", "aria-labelledby": "class-title" },
        el("h2", { id: "class-title" }, t("why.which")),
        classChooser(answer.predictions, label, (name) => { label = name; remember(); show(); }),
        compareChooser(answer.predictions, (name) => { beside = name; show(); })),
      details));
  show();
}

function figure(found, strongest, seen) {
  const readout = el("p", { class: "readout" }, t("why.point"));
  const { map, label } = found;
  const drawn = heatmap({
    seen, map, strongest, name: t("why.gridName", { label }),
    describe: (row, column, value) => t("why.cell", { row: row + 1, column: column + 1, value: signed(value), label }),
    onCell: (text) => { readout.textContent = text ?? t("why.point"); },
  });
  return {
    show: drawn.show,
    element: el("figure", {}, el("figcaption", {}, el("strong", {}, label), " ", el("span", { class: "quiet" }, percent(found.probability))), drawn.element, readout),
  };
}

function legend(strongest) {
  return el("div", { class: "legend" }, el("div", { class: "scale", "aria-hidden": "true" }),
    el("span", {}, t("why.against", { value: signed(-strongest) })), el("span", {}, "0"), el("span", {}, t("why.for", { value: signed(strongest) })));
}
