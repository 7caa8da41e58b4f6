// The view "Inside the network": the strip of layers, the chosen one in detail, and below it the road to
// the answer, the table of all layers, the playground. #/inside/LAYER/CHANNEL says what is chosen.

import { percent } from "../embed/numbers.js";
import { el, icon } from "../dom.js";
import { keepAsking } from "../gone.js";
import { inputsOf } from "./layer_words.js";
import { layerDetail } from "./layer_detail.js";
import { layerTable } from "./layer_table.js";
import { address } from "../address.js";
import { playground } from "./playground.js";
import { problemNote } from "../problem.js";
import { road } from "./road.js";
import { client, on, pictureOrSample, shared } from "../state.js";
import { strip } from "./strip.js";
import { t } from "../strings.js";

const KEPT = 48; // answers, for the way back and for the strip's plates
const PATIENCE = 200; // milliseconds before "working" is said: below, it would only flash

// → go(path): another layer or channel of the same network, without building it all anew.
export function mount(root, signal, path) {
  let round = new AbortController(), go = (next) => { path = next; };
  const begin = () => {
    round.abort();
    round = new AbortController();
    const both = AbortSignal.any([signal, round.signal]);
    const body = el("div", { class: "body", "aria-busy": true });
    const started = path;
    root.replaceChildren(el("h1", {}, t("page.inside")), body);
    setTimeout(() => { if (body.ariaBusy === "true") body.append(el("p", { class: "quiet" }, t("inside.working"))); }, PATIENCE);
    build(body, both, path).then((next) => {
      if (both.aborted) return;
      go = next;
      if (path !== started) go(path); // on the way already
    }, (error) => { if (!both.aborted) body.replaceChildren(problemNote(error)); }).finally(() => { body.ariaBusy = "false"; });
  };
  on("picture", begin, signal);
  begin();
  return (next) => { path = next; go(next); };
}

function off(body) {
  body.replaceChildren(el("p", { class: "note" }, icon("unsure"), t("why.off")));
  return () => {};
}

async function build(body, signal, path) {
  if (!shared.inside) return off(body);
  const picture = shared.picture ?? await keepAsking(pictureOrSample);
  if (signal.aborted) return () => {};
  if (!picture) return withoutPicture(body);
  const ask = asking(picture, signal);
  const answer = await ask();
  if (signal.aborted) return () => {};
  const { layers } = answer, { card } = shared, { height, width, channels } = card.preprocess;
  const inputOf = inputsOf(layers, card), byName = new Map(layers.map((layer) => [layer.name, layer]));
  const link = ({ name }) => address("inside", name);
  const overview = strip({
    layers, picture, image: [height, width, channels ?? 3], link, signal, maps: async (name) => (await ask(name)).maps,
  });
  const place = el("section", { class: "detail" });
  const columns = el("div", { class: "columns" }, overview.element, place), way = road(answer, card.labels, inputOf);
  body.replaceChildren(lead(answer, picture), columns, way, layerTable(layers, inputOf, link), playground());
  const show = layerDetail(place, { ask, best: card.labels[answer.best], inputOf });
  let detail = new AbortController();
  const go = ([name, channel]) => {
    const layer = byName.get(name) ?? layers.find(({ shape }) => shape.length === 3) ?? layers[0];
    if (!layer) return;
    detail.abort();
    detail = new AbortController();
    overview.choose(layer.name);
    show({
      layer, channel: /^\d+$/.test(channel) ? Number(channel) : null, unknown: name === layer.name ? null : name,
      signal: AbortSignal.any([signal, detail.signal]),
    });
    if (layer.shape.length === 3) columns.after(way);
    else place.append(way); // a vector is part of it
  };
  go(path);
  return go;
}

// What the service says of a picture; each question is asked once.
function asking(picture, signal) {
  const answers = new Map();
  return (layer, channel) => {
    const key = `${layer ?? ""}/${channel ?? ""}`;
    if (!answers.has(key)) {
      if (answers.size >= KEPT) answers.delete(answers.keys().next().value);
      const answer = keepAsking(() => client.inside(picture.blob, { model: shared.model.name, layer, channel, signal }));
      answers.set(key, answer);
      answer.catch(() => answers.delete(key));
    }
    return answers.get(key);
  };
}

function lead({ layers, probabilities, best }, picture) {
  const name = picture.sample === null ? picture.name : t("inside.sample", { number: picture.sample });
  return el("p", { class: "lead" },
    t("inside.lead", { model: shared.model.name, layers: layers.length, label: shared.card.labels[best], picture: name,
      percent: percent(probabilities[best]) }), " ",
    el("a", { href: address("classify") }, t("inside.other")));
}

function withoutPicture(body) {
  const { layers, ...card } = shared.card;
  const known = layers.map((layer, index) => ({
    ...layer, shape: layer.output_shape, inputs: [layers[index - 1]?.name ?? "image"], pads: null,
  }));
  body.replaceChildren(...[
    el("p", { class: "note" }, icon("eye"), el("span", {}, t("inside.noPicture"), " ", el("a", { href: address("classify") }, t("inside.choose")))),
    known.length ? layerTable(known, inputsOf(known, card), () => null) : null, playground(),
  ].filter(Boolean));
  return () => {};
}
