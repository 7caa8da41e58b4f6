// The page: one image → POST /predict → bars. It prepares nothing: the file goes as it is, so that
// the answer here is the answer any other client gets.

import { call, curlOptions } from "/web/key.js";

const at = (id) => document.getElementById(id);
const form = at("form"), file = at("file"), drop = at("drop"), model = at("model");
const models = new Map();
let image = null; // the File or Blob on show
let asked = 0; // number of the latest request: an older answer that arrives late is dropped

function say(text, fault = false) {
  at("status").textContent = text;
  at("status").classList.toggle("fault", fault);
}

function percent(probability) {
  if (probability > 0.9995 && probability < 1) return "> 99.9 %";
  if (probability < 0.0005 && probability > 0) return "< 0.1 %";
  return `${(probability * 100).toFixed(1)} %`;
}

function show(predictions) {
  at("answer").replaceChildren(...predictions.map(({ label, probability }) => {
    const row = document.createElement("li");
    const name = document.createElement("span"), share = document.createElement("span");
    name.textContent = label;
    share.textContent = percent(probability);
    row.style.setProperty("--share", `${probability * 100}%`);
    row.append(name, share);
    return row;
  }));
}

function showCall() {
  const name = (image.name || "image.png").replaceAll("'", "'\\''"); // as a shell quotes it
  const words = ["curl", ...curlOptions(), `-F 'file=@${name}'`, `"${location.origin}/predict?model=${encodeURIComponent(model.value)}"`];
  at("call").hidden = false;
  at("curl").textContent = words.join(" ");
}

async function list() {
  const response = await call("/models");
  const { models: all } = await response.json();
  model.replaceChildren();
  for (const one of all) {
    models.set(one.name, one);
    model.add(new Option(one.name, one.name, one.default, one.default));
  }
  describe();
}

async function ask() {
  if (!image) return;
  const number = ++asked;
  say("Classifying …");
  try {
    if (!models.size) await list();
    const body = new FormData();
    body.append("file", image, image.name || "image");
    const response = await call(`/predict?model=${encodeURIComponent(model.value)}`, { method: "POST", body });
    const answer = await response.json();
    if (number !== asked) return;
    showCall();
    if (!response.ok) {
      show([]);
      return say(`${answer.title}. ${answer.detail}`, true);
    }
    show(answer.predictions);
    say(`${answer.predictions[0].label}: ${percent(answer.predictions[0].probability)} (${answer.model}, version ${answer.version})`);
  } catch {
    if (number !== asked) return;
    show([]);
    say("The service does not answer. Is it still running?", true);
  }
}

function take(candidate) {
  if (!candidate) return;
  image = candidate;
  const preview = at("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(image);
  preview.hidden = false;
  at("hint").hidden = true;
  ask();
}

function describe() {
  if (!models.size) return;
  const { description, labels, accuracy } = models.get(model.value);
  const measured = accuracy === null ? "" : ` Right on ${(accuracy * 100).toFixed(2)} % of its test images.`;
  at("about").textContent = `${description} It knows ${labels.length} classes and nothing else.${measured}`.trim();
}

at("preview").addEventListener("load", ({ target }) => target.classList.toggle("small", target.naturalWidth < 200));
at("preview").addEventListener("error", ({ target }) => { target.hidden = true; at("hint").hidden = false; });
file.addEventListener("change", () => take(file.files[0]));
model.addEventListener("change", () => { describe(); if (image) take(image); });
form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", type === "dragover");
    if (type === "drop") take(event.dataTransfer.files[0]);
  });
}

try {
  await list();
} catch {
  say("The service does not answer. Is it still running?", true);
}
