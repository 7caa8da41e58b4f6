// <image-classifier>: choose, drop, paste or photograph an image; see what the service says it is.
// docs/frontend.md has its attributes, events, parts and variables. One script tag on any page brings
// it; it prepares no image, keeps none, and knows of the page around it only its language and its form.

import { bars, barsSheet } from "./bars.js";
import { createClient } from "./client.js";
import { shellSheet } from "./image-classifier-style.js";
import { errorSentence, headline, spoken, waitSentence } from "./sentences.js";
import { languageOf, t } from "./strings.js";

const HOME = new URL("..", import.meta.url).href; // the service that this script came from
const ACCEPT = "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/avif";
const TOP_K = 3;
const SLOW_MILLISECONDS = 1000; // a wait shorter than this is not announced: the answer is
const PREVIEW_PIXELS = 480;
const SMALL_PIXELS = 100; // smaller pictures are shown as the pixels they are

const TEXTS = ["src", "model", "name", "capture"]; // attributes that are properties too
const SWITCHES = ["disabled", "required"];

export class ImageClassifier extends HTMLElement {
  static formAssociated = true;
  static observedAttributes = ["lang", "top-k", "capture", "required"];

  #internals = this.attachInternals();
  #parts;
  #off = false; // by its own attribute or by a fieldset's
  #state = { kind: "empty", file: null };
  #running = null; // the AbortController of the classification that is on
  #ticking = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [barsSheet(), shellSheet()];
    this.#parts = shell();
    root.append(this.#parts.drop, this.#parts.result, this.#parts.error, this.#parts.actions, this.#parts.status);
    this.#listen();
  }

  connectedCallback() {
    for (const name of [...TEXTS, ...SWITCHES, "topK"]) {
      if (Object.hasOwn(this, name)) { // set before the script came: let the setter see it
        const value = this[name];
        delete this[name];
        this[name] = value;
      }
    }
    this.#render();
  }

  disconnectedCallback() { this.abort(); }
  attributeChangedCallback() { if (this.isConnected) this.#render(); }
  formDisabledCallback(off) { this.#off = off; this.#render(); }
  formResetCallback() { this.clear(); }

  get topK() {
    const given = Number.parseInt(this.getAttribute("top-k"), 10);
    return given > 0 ? given : TOP_K;
  }
  set topK(count) { this.setAttribute("top-k", count); }
  get value() { return this.#state.answer ?? null; }
  get file() { return this.#state.file; }
  get form() { return this.#internals.form; }
  get validity() { return this.#internals.validity; }
  get validationMessage() { return this.#internals.validationMessage; }
  checkValidity() { return this.#internals.checkValidity(); }
  reportValidity() { return this.#internals.reportValidity(); }

  // → the answer; null if a listener prevented it. Rejects with what classify-error tells, or as aborted.
  async classify(file, { signal } = {}) {
    if (!this.#tell("classify-start", { file })) return null;
    this.abort();
    const run = new AbortController();
    const either = signal ? AbortSignal.any([signal, run.signal]) : run.signal;
    this.#running = run;
    this.#enter({ kind: "working", file });
    const slow = setTimeout(() => this.#say(t("common.classifying", {}, this.#language)), SLOW_MILLISECONDS);
    try {
      const client = createClient(this.src, { onRetry: (seconds, error) => this.#wait(run, seconds, error) });
      // Two at least: one alone does not tell how far ahead it is.
      const answer = await client.predict(file, {
        model: this.model || undefined, topK: Math.max(2, this.topK), signal: either,
      });
      either.throwIfAborted();
      const shown = { ...answer, predictions: answer.predictions.slice(0, this.topK) };
      this.#enter({ kind: "answer", file, answer: shown, predictions: answer.predictions });
      this.#say(spoken(answer.predictions, this.#language));
      this.#tell("classify-result", { file, answer: shown });
      return shown;
    } catch (error) {
      if (either.aborted) {
        // Unless another one has begun: what is on show is then of that one.
        if (this.#running === run) this.#enter({ kind: "cancelled", file });
        this.#tell("classify-abort", { file });
      } else {
        this.#enter({ kind: "error", file, error });
        this.#tell("classify-error", { file, error });
      }
      throw error;
    } finally {
      clearTimeout(slow);
      if (this.#running === run) this.#running = null;
    }
  }

  abort() { this.#running?.abort(); }

  clear() {
    this.abort();
    this.#running = null;
    this.#enter({ kind: "empty", file: null });
  }

  // As a person does it: what goes wrong is on show and told by an event, and nobody awaits it.
  #take(file) {
    if (file && !this.#off) this.classify(file).catch(() => {});
  }

  #listen() {
    const { drop, file, photo, cancel, clear, retry } = this.#parts;
    for (const input of [file, photo]) {
      input.addEventListener("change", () => {
        const [chosen] = input.files;
        input.value = ""; // the same file may be chosen again
        this.#take(chosen);
      });
    }
    for (const type of ["dragover", "dragleave", "drop"]) {
      this.addEventListener(type, (event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        drop.classList.toggle("over", type === "dragover" && !this.#off);
        if (type === "drop") this.#take(event.dataTransfer.files[0]);
      });
    }
    this.addEventListener("paste", (event) => this.#take(event.clipboardData.files[0]));
    this.addEventListener("keydown", (event) => { if (event.key === "Escape") this.abort(); });
    cancel.addEventListener("click", () => this.abort());
    clear.addEventListener("click", () => this.clear());
    retry.addEventListener("click", () => this.#take(this.file));
  }

  get #language() {
    const lang = this.closest("[lang]")?.lang;
    return languageOf(lang ? [lang] : navigator.languages);
  }

  get #host() { return new URL(this.src, location.href).host; }

  #tell(type, detail) {
    const cancelable = type === "classify-start";
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable, bubbles: true, composed: true }));
  }

  #say(text) { this.#parts.status.textContent = text; }

  // One line that counts down; said once, not with every second.
  #wait(run, seconds, error) {
    if (run !== this.#running) return;
    clearInterval(this.#ticking);
    const end = performance.now() + seconds * 1000;
    const tick = () => {
      const left = (end - performance.now()) / 1000;
      const wait = { host: this.#host, locale: this.#language };
      this.#state.wait = left > 0 ? waitSentence(left, error, wait) : undefined;
      this.#render();
    };
    tick();
    this.#say(this.#state.wait);
    this.#ticking = setInterval(tick, 1000);
  }

  #enter(state) {
    clearInterval(this.#ticking);
    const isNew = state.file !== this.#state.file;
    this.#state = state;
    this.#say(state.kind === "cancelled" ? t("common.cancelled", {}, this.#language) : "");
    this.#internals.setFormValue(state.answer?.predictions[0].label ?? null);
    if (isNew) this.#preview(state.file);
    this.#render();
  }

  // Drawn, not linked: a page whose policy forbids blob: in images shows it all the same.
  async #preview(file) {
    const { preview } = this.#parts;
    preview.hidden = true;
    if (!file) return;
    const bitmap = file instanceof HTMLCanvasElement ? file : await createImageBitmap(file).catch(() => null);
    if (!bitmap || file !== this.file) return; // a format this browser cannot show, or too late
    const scale = Math.min(1, PREVIEW_PIXELS / Math.max(bitmap.width, bitmap.height));
    preview.width = Math.max(1, bitmap.width * scale);
    preview.height = Math.max(1, bitmap.height * scale);
    preview.getContext("2d").drawImage(bitmap, 0, 0, preview.width, preview.height);
    preview.classList.toggle("small", Math.max(bitmap.width, bitmap.height) < SMALL_PIXELS);
    preview.hidden = false;
  }

  #render() {
    const { kind, file, answer, predictions, error, wait } = this.#state;
    const parts = this.#parts, locale = this.#language;
    const say = (key) => t(key, {}, locale);
    this.#internals.role = "group";
    this.#internals.ariaLabel = say("element.name");
    parts.file.disabled = parts.photo.disabled = this.#off;
    parts.chooseText.textContent = say("common.choose");
    parts.photoText.textContent = say("common.photo");
    parts.photo.parentElement.hidden = this.capture === null;
    parts.photo.setAttribute("capture", this.capture || "environment");
    parts.hint.textContent = say("element.hint");
    parts.preview.ariaLabel = say("common.preview");
    parts.result.ariaLabel = say("element.result");
    parts.result.ariaBusy = `${kind === "working"}`;
    parts.result.hidden = kind !== "working" && kind !== "answer";
    parts.working.hidden = kind !== "working";
    parts.working.textContent = wait ?? say("common.classifying");
    parts.headline.hidden = !answer;
    parts.headline.textContent = answer ? headline(predictions, locale) : "";
    parts.rows.replaceChildren(...(answer ? [bars(answer.predictions, locale)] : []));
    parts.error.hidden = !error;
    parts.error.textContent = error ? errorSentence(error, { file, host: this.#host, locale }) : "";
    this.#offer(parts.cancel, say("common.cancel"), kind === "working");
    this.#offer(parts.retry, say("common.retry"), kind === "error" || kind === "cancelled");
    this.#offer(parts.clear, say("common.clear"), kind !== "empty" && kind !== "working");
    const missing = this.required && !answer;
    this.#internals.setValidity(missing ? { valueMissing: true } : {}, missing ? say("element.required") : "", parts.file);
  }

  // A button that goes takes the focus along only to where the next step is.
  #offer(button, text, shown) {
    const focused = this.shadowRoot.activeElement === button;
    button.textContent = text;
    button.hidden = !shown;
    button.disabled = this.#off;
    if (focused && !shown) this.#parts.file.focus();
  }
}

for (const property of TEXTS) {
  Object.defineProperty(ImageClassifier.prototype, property, {
    get() { return this.getAttribute(property) ?? (property === "src" ? HOME : null); },
    set(value) { value === null ? this.removeAttribute(property) : this.setAttribute(property, value); },
  });
}
for (const property of SWITCHES) {
  Object.defineProperty(ImageClassifier.prototype, property, {
    get() { return this.hasAttribute(property); },
    set(on) { this.toggleAttribute(property, Boolean(on)); },
  });
}

// Everything inside the element, without words: #render gives them, in the language of the moment.
function shell() {
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const file = make("input", { type: "file", accept: ACCEPT });
  const photo = make("input", { type: "file", accept: "image/*" });
  const chooseText = make("span"), photoText = make("span");
  const hint = make("p", { id: "hint" });
  file.setAttribute("aria-describedby", "hint");
  const preview = make("canvas", { part: "preview", role: "img", hidden: true });
  const choose = make("label", { part: "button" }, file, chooseText);
  const take = make("label", { part: "button", className: "photo" }, photo, photoText);
  const working = make("p", { className: "working" });
  const headlineText = make("p", { className: "headline" });
  const rows = make("div");
  const cancel = make("button", { type: "button", part: "button", className: "late" });
  const retry = make("button", { type: "button", part: "button" });
  const clear = make("button", { type: "button", part: "button" });
  return {
    file, photo, chooseText, photoText, hint, preview, working, headline: headlineText, rows, cancel, retry, clear,
    drop: make("div", { part: "drop" }, preview, make("div", { className: "row" }, choose, take), hint),
    result: make("section", { part: "result" }, working, headlineText, rows),
    error: make("p", { part: "error", role: "alert" }),
    actions: make("div", { className: "row" }, cancel, retry, clear),
    status: make("p", { className: "heard", role: "status" }),
  };
}

if (!customElements.get("image-classifier")) customElements.define("image-classifier", ImageClassifier);
