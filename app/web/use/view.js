// Use it: how another program, a page or a server of one's own gets the same answers. What is shown
// runs as it stands, for the network and the picture on show.

import { el } from "../dom.js";
import { curlOptions } from "../key.js";
import { errorTable } from "./error_table.js";
import { curl, HOME, snippet, snippetTabs } from "../snippets.js";
import { pictureOrSample, shared } from "../state.js";
import { t } from "../strings.js";
import { tryIt } from "./try_it.js";

export async function mount(root, signal) {
  root.append(el("h1", {}, t("use.title")), el("p", { class: "lead" }, t("use.lead", { url: new URL(HOME).host })));
  const picture = await pictureOrSample().catch(() => null); // the calls are the same without one
  if (signal.aborted) return;
  const filename = picture?.name ?? "picture.png", dim = shared.model.embedding_dim;
  const card = (name, ...content) => el("section", { class: "card", "aria-labelledby": `${name}-title` }, el("h2", { id: `${name}-title` }, t(`use.${name}`)), ...content);
  root.append(
    el("div", { class: "uses" },
      card("call", curlOptions().length > 0 && el("p", {}, t("use.key")), snippetTabs(filename),
        el("p", { class: "quiet" }, picture?.sample && el("span", {}, el("a", { href: picture.url, download: picture.name }, t("use.save", { name: picture.name })), " "), t("use.exactly"))),
      card("try", picture ? tryIt(picture, signal) : el("p", { class: "quiet" }, t("use.noPicture"))),
      dim && card("embed", el("p", {}, t("use.embedHow", { dim })), snippet("curl", curl("embed", filename))),
      card("page", el("p", {}, t("use.element")), snippet("HTML", element()), el("p", {}, t("use.client")), snippet(t("use.ownPage"), withClient()),
        el("p", { class: "quiet" }, t("use.origin"), " ", el("code", {}, "convolu serve --cors-origin ORIGIN"))),
      card("run", el("p", {}, t("use.docker")), snippet("Docker", DOCKER), el("p", { class: "quiet" }, t("use.more"), " ", el("a", { href: `${HOME}docs` }, t("use.docs")), !curlOptions().length && [", ", el("a", { href: `${HOME}openapi.json` }, "OpenAPI")])),
      card("errors", el("p", {}, t("use.errorsHow")), errorTable())));
}

// As README has it: not root, nothing writable, no privileges.
const DOCKER = `docker build -t convolu .
docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --pids-limit 512 --memory 4g -p 127.0.0.1:8000:8000 convolu`;

function element() {
  const model = shared.model.default ? "" : ` model="${shared.model.name.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}"`;
  return `<script type="module" src="${HOME}embed/image-classifier.js"></script>
<image-classifier${model} top-k="3"></image-classifier>`;
}

function withClient() {
  const model = shared.model.default ? "" : `, { model: ${JSON.stringify(shared.model.name)} }`;
  return `<input type="file" accept="image/*">
<script type="module">
  import { createClient } from "${HOME}embed/client.js";

  const client = createClient("${HOME}"${curlOptions().length ? ', { headers: { Authorization: `Bearer ${prompt("API key")}` } }' : ""});
  document.querySelector("input").addEventListener("change", async ({ target }) => {
    const { predictions: [best] } = await client.predict(target.files[0]${model});
    document.body.append(\`\${best.label}: \${best.probability} \`);
  });
</script>`;
}
