// Classify: a picture comes in, its answer stands beside it. The page prepares nothing: the file goes
// as it is, so that the answer here is the answer that any other client gets.

import { spoken, waitSentence } from "../embed/sentences.js";
import { address } from "../address.js";
import { answerPanel, knows } from "./answer.js";
import { hasCamera, photograph } from "./camera.js";
import { button, el, icon } from "../dom.js";
import { paper } from "./draw.js";
import { isGone, untilBack } from "../gone.js";
import { chooser, listen, paster } from "./intake.js";
import { manyPanel } from "./many.js";
import { problemNote } from "../problem.js";
import { seenPanel } from "./seen.js";
import { shrunk } from "./shrink.js";
import { snippetTabs } from "../snippets.js";
import { client, newClient, on, sample, setPicture, shared, takeSample } from "../state.js";
import { t } from "../strings.js";

const SPINNER_MILLISECONDS = 200; // an answer of 5 ms must not flash
const TOO_LARGE = new Set(["body_too_large", "image_too_large"]);

export function mount(root, signal) {
  const stage = el("div", { class: "stage" });
  const tools = el("div", { class: "row tools" });
  const samples = el("div", { class: "samples" });
  const answer = el("section", { class: "card", "aria-labelledby": "answer-title", "aria-busy": "false" });
  const seen = el("section", { class: "card", "aria-labelledby": "seen-title", hidden: true });
  const call = el("section", { class: "card", "aria-labelledby": "call-title", hidden: true });
  const many = el("div");
  const said = el("p", { class: "unseen", role: "status" });
  const told = el("p", { class: "told", role: "status" });
  let drawing = false;
  let asking = new AbortController(), batch = new AbortController(), spinner = 0;
  signal.addEventListener("abort", () => asking.abort());
  const patient = newClient({ onRetry: (seconds, error) => {
    clearTimeout(spinner);
    wait(waitSentence(seconds, error, { host: location.host }));
  } });

  // Another picture comes: what is drawn, and many that are on their way, are of no interest any more.
  function clear() {
    drawing = false;
    batch.abort();
    batch = new AbortController();
    many.replaceChildren();
  }

  function take(files) {
    if (!files.length) return;
    clear();
    if (files.length > 1) {
      many.replaceChildren(manyPanel(files, (file) => { drawing = false; setPicture(file, file.name); }, AbortSignal.any([signal, batch.signal])));
    }
    setPicture(files[0], files[0].name);
  }

  function showTools() {
    tools.replaceChildren(...[
      chooser("upload", t("common.choose"), take, { multiple: true }),
      matchMedia("(pointer: coarse)").matches && chooser("camera", t("common.photo"), take, { capture: "environment" }),
      hasCamera() && button("camera", t("classify.camera"), async () => {
        const photo = await photograph(signal).catch(() => tell(t("classify.noCamera")));
        if (photo) take([photo]);
      }),
      shared.card.preprocess.layout === "digit" && button("pencil", t("classify.draw"), () => {
        clear();
        drawing = true;
        setPicture(null);
      }),
      paster(take, tell),
      told,
    ].filter(Boolean));
  }

  // Beside the tools: the picture and its answer are as they were.
  function tell(text) {
    told.textContent = text;
  }

  function showSamples() {
    const count = shared.model.samples;
    samples.hidden = !count;
    samples.replaceChildren(el("span", { class: "quiet", id: "samples-title" }, t("classify.samples")),
      el("div", { class: "row", role: "group", "aria-labelledby": "samples-title" }, Array.from({ length: count }, (_, index) =>
        el("button", {
          type: "button", class: "thumbnail", "aria-label": t("classify.sample", { n: index + 1 }),
          onclick: () => { clear(); takeSample(index + 1).catch(fail); },
        }, thumbnail(index + 1)))));
  }

  function thumbnail(number) {
    const image = el("img", { alt: "", width: 40, height: 40 });
    sample(number, signal).then((blob) => { image.src = URL.createObjectURL(blob); }, () => {});
    image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
    return image;
  }

  function showStage() {
    const { picture } = shared;
    if (drawing) {
      if (!stage.querySelector(".paper")) {
        stage.replaceChildren(paper((file) => setPicture(file, file.name), () => setPicture(null), signal));
      }
    } else if (picture) {
      const image = el("img", { src: picture.url, alt: t("common.preview") });
      image.addEventListener("load", () => image.classList.toggle("pixels", image.naturalWidth < 200));
      image.addEventListener("error", () => image.replaceWith(el("p", { class: "quiet" }, t("classify.noPreview"))));
      stage.replaceChildren(image);
    } else {
      stage.replaceChildren(el("div", { class: "hint" }, icon("upload"), el("p", {}, el("strong", {}, t("classify.drop"))),
        el("p", { class: "quiet" }, t(shared.model.samples ? "classify.dropMore" : "classify.dropOr"))));
    }
  }

  function panel(...content) {
    answer.ariaBusy = "false";
    answer.replaceChildren(el("h2", { id: "answer-title" }, t("classify.answer")), ...content.filter(Boolean));
  }

  function fail(error) {
    if (error.name === "AbortError" || signal.aborted) return;
    seen.hidden = call.hidden = true;
    panel(problemNote(error, shared.picture?.blob, TOO_LARGE.has(error.code) && shared.picture && el("p", {},
      button("undo", t("classify.shrink"), shrink))));
  }

  async function shrink() {
    const { picture, card } = shared;
    try {
      const small = await shrunk(picture.blob, card.preprocess.background ?? [255, 255, 255]);
      if (picture === shared.picture) setPicture(small, picture.name);
    } catch { // this browser cannot read it either
      fail({ code: "invalid_image", detail: "" });
    }
  }

  function wait(text) {
    said.textContent = text;
    panel(el("p", { class: "working" }, text), button("stop", t("common.cancel"), () => {
      asking.abort();
      panel(el("p", { class: "quiet" }, t("common.cancelled")));
    }));
    answer.ariaBusy = "true";
  }

  // Ask for the picture on show; whatever was asked before is of no interest any more.
  async function ask() {
    asking.abort();
    asking = new AbortController();
    const { signal: mine } = asking;
    const { picture, model } = shared;
    said.textContent = told.textContent = "";
    showStage();
    for (const one of samples.querySelectorAll("button")) one.ariaPressed = "false";
    if (picture?.sample) samples.querySelectorAll("button")[picture.sample - 1].ariaPressed = "true";
    if (!picture) {
      seen.hidden = call.hidden = true;
      return panel(knows());
    }
    spinner = setTimeout(() => wait(t("common.classifying")), SPINNER_MILLISECONDS);
    let result;
    try {
      result = await patient.predict(picture.blob, { model: model.name, signal: mine });
    } catch (error) {
      if (mine.aborted) return;
      fail(error);
      if (!isGone(error)) return;
      await untilBack();
      if (!mine.aborted) ask();
      return;
    } finally {
      clearTimeout(spinner);
    }
    panel(answerPanel(result), ways(), knows());
    said.textContent = spoken(result.predictions);
    call.replaceChildren(el("h2", { id: "call-title" }, t("classify.call")), snippetTabs(picture.name));
    call.hidden = false;
    if (shared.inside) await showSeen(picture, mine);
  }

  // The answer stands whatever becomes of this.
  async function showSeen(picture, mine) {
    let content;
    try {
      content = seenPanel(await client.seen(picture.blob, { model: shared.model.name, signal: mine }), shared.card);
    } catch (error) {
      if (mine.aborted) return;
      content = problemNote(error, picture.blob);
    }
    seen.replaceChildren(el("h2", { id: "seen-title" }, t("classify.seen")), content);
    seen.hidden = false;
  }

  root.append(
    el("h1", {}, t("classify.title")),
    el("p", { class: "lead" }, t("classify.lead")),
    many,
    el("div", { class: "pair" },
      el("div", { class: "column" }, el("section", { class: "card", "aria-label": t("classify.picture") }, stage, tools, samples), seen),
      el("div", { class: "column" }, answer, call)),
    said);
  listen(signal, take, (over) => stage.classList.toggle("over", over));
  on("picture", ask, signal);
  showTools();
  showSamples();
  ask();
}

// Further views of the same picture.
function ways() {
  if (!shared.inside) return null;
  return el("div", { class: "row ways" },
    el("a", { class: "button", href: address("inside") }, icon("layers"), t("classify.toInside")),
    el("a", { class: "button", href: address("why") }, icon("eye"), t("classify.toWhy")));
}
