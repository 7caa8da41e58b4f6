// What the views share: the models, the one that was chosen and its card, the picture, its answer.
// Knows nothing of how any of it is shown.

import { createClient } from "./embed/client.js";
import { call } from "./key.js";

const TIMEOUT_MILLISECONDS = 60_000; // a large photo over a slow line, or a key that must be found first
const changes = new EventTarget();
let turn = 0; // counts models and pictures: what was asked for before the last of them comes too late

// Every request goes through key.js; `options` are createClient's.
export function newClient(options = {}) {
  return createClient(new URL("..", import.meta.url).href, { fetch: call, timeoutMilliseconds: TIMEOUT_MILLISECONDS, ...options });
}

export const client = newClient();

export const shared = {
  models: [], // as GET /models lists them
  inside: false, // whether the service looks inside
  model: null, // the chosen one of `models`
  card: null, // its card
  picture: null, // { blob, name, url, sample: its number, or null }
};

// on("picture", …): "models", "model" or "picture" has changed. Until `signal` aborts.
export function on(name, listener, signal) {
  changes.addEventListener(name, listener, { signal });
}

function tell(name) {
  changes.dispatchEvent(new Event(name));
}

// Ask which models there are, and choose `name`, else the default one. Rejects as the client does.
export async function loadModels(name) {
  const { models, inside } = await client.models();
  Object.assign(shared, { models, inside });
  tell("models");
  await chooseModel(name);
}

export async function chooseModel(name) {
  const { models } = shared;
  const model = models.find((one) => one.name === name) ?? models.find((one) => one.default) ?? models[0];
  if (!model) throw Object.assign(new Error("There is no model."), { code: "not_ready" });
  const mine = ++turn;
  if (model === shared.model) return;
  const { card } = await client.model(model.name);
  if (mine !== turn) return;
  // A sample belongs to its model; a picture of the person's own stays.
  if (shared.picture && shared.picture.sample !== null) {
    URL.revokeObjectURL(shared.picture.url);
    shared.picture = null;
  }
  Object.assign(shared, { model, card });
  tell("model");
}

export function setPicture(blob, name, sample = null) {
  turn += 1;
  if (shared.picture) URL.revokeObjectURL(shared.picture.url);
  shared.picture = blob && { blob, name, sample, url: URL.createObjectURL(blob) };
  tell("picture");
}

// A picture of the model's proof, which training has not seen. Rejects as the client does.
export async function sample(number, signal) {
  let response;
  try {
    response = await call(client.sampleUrl(shared.model.name, number), { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    throw Object.assign(new Error("The service does not answer.", { cause }), { code: "unreachable" });
  }
  if (response.ok) return response.blob();
  throw Object.assign(new Error(`HTTP ${response.status}`), await response.json().catch(() => ({ code: "unexpected" })));
}

export async function takeSample(number) {
  const mine = ++turn;
  const blob = await sample(number);
  if (mine === turn) setPicture(blob, `sample-${number}.${blob.type.split("/")[1] ?? "png"}`, number);
}

// The picture on show; without one the model's first sample, so that no view is ever empty.
export async function pictureOrSample() {
  if (!shared.picture && shared.model.samples) await takeSample(1);
  return shared.picture;
}
