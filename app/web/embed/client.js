// The service's API from JavaScript: a browser, a worker or Node.js 20. No dependency. What fails is a
// ClassifierError, but for what its caller stopped: that rejects with the signal's own reason.
// Knows nothing of a page; types are in client.d.ts.

const FIRST_PAUSE_SECONDS = 0.25; // doubled each time, where the service does not say how long
const LONGEST_PAUSE_SECONDS = 60; // who is told to wait longer is better told so than kept waiting
const REPEATED_STATUSES = [429, 503];

// `code` is the service's (docs/api.md), or: "unreachable" no answer, also for want of CORS;
// "timeout" none in time; "unexpected" an answer that is not this service's, as a proxy's.
export class ClassifierError extends Error {
  constructor({ status = 0, code, title, detail = "", requestId = null, retryAfterSeconds = null }, cause) {
    super(`${title}. ${detail}`.trim(), { cause });
    this.name = "ClassifierError";
    Object.assign(this, { status, code, title, detail, requestId, retryAfterSeconds });
  }
}

// `fetch` stands in for the global one; `onRetry(seconds, error)` is told before each pause.
export function createClient(baseUrl, {
  timeoutMilliseconds = 10_000, retries = 2, headers = {}, fetch = globalThis.fetch, onRetry,
} = {}) {
  const base = new URL(`${baseUrl}`.replace(/\/*$/, "/"), globalThis.location?.href);

  function url(path, query = {}) {
    const full = new URL(path, base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null) full.searchParams.set(name, value);
    }
    return full.href;
  }

  // → { body, response, total: milliseconds of the attempt that was answered }
  async function ask(path, { query, image, signal, accept = () => false } = {}) {
    const form = image && await asForm(image);
    for (let attempt = 0; ; attempt += 1) {
      signal?.throwIfAborted();
      try {
        return await once(url(path, query), form, signal, accept);
      } catch (error) {
        signal?.throwIfAborted();
        const seconds = pauseSeconds(error, attempt);
        if (attempt === retries || seconds === Infinity) throw error;
        onRetry?.(seconds, error);
        await pause(seconds, signal);
      }
    }
  }

  async function once(address, form, signal, accept) {
    const late = AbortSignal.timeout(timeoutMilliseconds);
    const began = performance.now();
    let response, text;
    try {
      // No Content-Type: only the browser knows the boundary of its form.
      response = await fetch.call(globalThis, address, {
        method: form ? "POST" : "GET", body: form, headers, signal: signal ? AbortSignal.any([signal, late]) : late,
      });
      text = await response.text();
    } catch (cause) {
      if (late.aborted) {
        throw new ClassifierError({
          code: "timeout", title: "The service did not answer in time",
          detail: `It had ${timeoutMilliseconds} ms.`,
        }, cause);
      }
      throw new ClassifierError({
        code: "unreachable", title: "The service does not answer",
        detail: `Nothing came from ${base.host}, or it does not let this origin read it.`,
      }, cause);
    }
    const body = parse(text);
    if (body === null || !(response.ok || accept(body))) throw refusal(response, body);
    return { body, response, total: performance.now() - began };
  }

  async function predict(image, { model, topK, signal } = {}) {
    const { body, response, total } = await ask("predict", { query: { model, top_k: topK }, image, signal });
    return {
      ...body,
      milliseconds: { total, ...serverTimings(response.headers.get("Server-Timing")) },
      requestId: response.headers.get("X-Request-ID"),
    };
  }

  // In order: { file, answer } or { file, error } each; one bad file spoils only itself.
  async function predictMany(files, { model, topK, concurrency = 2, signal, onProgress } = {}) {
    const all = [...files], results = [];
    let next = 0, done = 0;
    async function work() {
      while (next < all.length) {
        const index = next++, file = all[index];
        try {
          results[index] = { file, answer: await predict(file, { model, topK, signal }) };
        } catch (error) {
          signal?.throwIfAborted();
          results[index] = { file, error };
        }
        done += 1;
        onProgress?.({ done, of: all.length, index, ...results[index] });
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work));
    return results;
  }

  const json = async (path, options) => (await ask(path, options)).body;
  const name = encodeURIComponent;
  return {
    predict,
    predictMany,
    models: ({ signal } = {}) => json("models", { signal }),
    model: (model, { signal } = {}) => json(`models/${name(model)}`, { signal }),
    embed: (image, { model, signal } = {}) => json("embed", { query: { model }, image, signal }),
    seen: (image, { model, signal } = {}) => json("seen", { query: { model }, image, signal }),
    inside: (image, { model, layer, channel, signal } = {}) => (
      json("inside", { query: { model, layer, channel }, image, signal })
    ),
    explain: (image, { model, label, method, signal } = {}) => (
      json("explain", { query: { model, class: label, method }, image, signal })
    ),
    // { ready, models, refused }, also where it is not ready: that is an answer, and not repeated.
    ready: ({ signal } = {}) => json("readyz", { signal, accept: (body) => body.ready !== undefined }),
    sampleUrl: (model, number) => url(`models/${name(model)}/samples/${number}`),
    fileUrl: (model) => url(`models/${name(model)}/file`),
  };
}

async function asForm(image) {
  const isCanvas = typeof image.toBlob === "function";
  const blob = isCanvas ? await new Promise((resolve) => { image.toBlob(resolve, "image/png"); }) : image;
  const form = new FormData();
  form.append("file", blob, blob.name ?? "image");
  return form;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function refusal(response, body) {
  const seconds = Number.parseInt(response.headers.get("Retry-After"), 10);
  return new ClassifierError({
    status: response.status,
    code: body?.code ?? "unexpected",
    title: body?.title ?? "This is not the answer of a classifier",
    detail: body?.detail ?? `HTTP status ${response.status}.`,
    requestId: body?.request_id ?? response.headers.get("X-Request-ID"),
    retryAfterSeconds: Number.isNaN(seconds) ? null : seconds,
  });
}

// How long to wait before the next attempt; infinitely where another would be refused like this one.
function pauseSeconds(error, attempt) {
  if (error.code !== "unreachable" && !REPEATED_STATUSES.includes(error.status)) return Infinity;
  const seconds = error.retryAfterSeconds ?? FIRST_PAUSE_SECONDS * 2 ** attempt;
  if (seconds > LONGEST_PAUSE_SECONDS) return Infinity;
  return seconds * (1 + Math.random() / 4); // or all that were refused at once come back at once
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

// "queue;dur=0.2, decode;dur=1.9" → { queue: 0.2, decode: 1.9, network: null } (W3C Server Timing).
function serverTimings(header) {
  const timings = { queue: null, decode: null, network: null };
  for (const [, metric, duration] of (header ?? "").matchAll(/(\w+);dur=([\d.]+)/g)) {
    if (metric in timings) timings[metric] = Number(duration);
  }
  return timings;
}
