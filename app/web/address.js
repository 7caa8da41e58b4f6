// What stands behind # in the address: #/inside/conv1/5?model=mnist-2conv. Knows nothing of the views
// but their names.

import { shared } from "./state.js";

// → { view, path: what follows it, model: a name or null }; of `views`, else the first of them.
export function place(views) {
  const [path, query] = location.hash.slice(1).split("?");
  const [name, ...rest] = path.split("/").filter(Boolean).map(decoded);
  return { view: views.includes(name) ? name : views[0], path: rest, model: new URLSearchParams(query).get("model") };
}

// Where a view is, for the model on show.
export function address(view, ...path) {
  return addressOf(shared.model, view, ...path);
}

// The default model needs no name.
export function addressOf(model, view, ...path) {
  const name = model && !model.default ? `?model=${encodeURIComponent(model.name)}` : "";
  const parts = [view === "classify" ? "" : view, ...path].map(encodeURIComponent);
  return `#/${parts.join("/")}${name}`;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch { // somebody has typed a % of their own
    return part;
  }
}
