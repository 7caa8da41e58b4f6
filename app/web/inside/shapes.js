// The arithmetic of layers: how large an output is, which zeros are added, what is left unread, how many
// weights there are, what one window adds up to. As Keras and ONNX count. Knows nothing of the document.

// A window of `k` numbers with dilation `d` reaches over so many.
export function reach(k, d = 1) {
  return d * (k - 1) + 1;
}

// One side of a layer that slides a window of `k` over `n` numbers in steps of `s`.
// `padding`: "valid" (none), "same" (the output is ⌈n/s⌉ long: zeros are added, an odd one at the end),
// or [before, after]. → { n, k, s, d, output, before, after, unused }: `unused` numbers at the end are
// read by no window. Where the window does not fit even once, the output is 0.
export function side({ n, k, s = 1, d = 1, padding = "valid" }) {
  const wide = reach(k, d);
  let before = 0, after = 0;
  if (padding === "same") {
    const missing = Math.max((Math.ceil(n / s) - 1) * s + wide - n, 0);
    before = Math.floor(missing / 2);
    after = missing - before;
  } else if (padding !== "valid") [before, after] = padding;
  const output = Math.max(Math.floor((n + before + after - wide) / s) + 1, 0);
  const unused = output ? Math.max(n + before + after - ((output - 1) * s + wide), 0) : n;
  return { n, k, s, d, output, before, after, unused };
}

// "⌊(28 − 3) / 1⌋ + 1 = 26"; added zeros as "32 + 1", a dilated window as "2·(3 − 1) − 1".
export function sizeFormula({ n, k, s, d, output, before, after }) {
  const added = before + after ? ` + ${before + after}` : "";
  const window = d > 1 ? `${d}·(${k} − 1) − 1` : k;
  return `⌊(${n}${added} − ${window}) / ${s}⌋ + 1 = ${output}`;
}

// A layer as /inside describes it, with the shape it reads → [its rows, its columns] as `side` gives
// them, or null where it has no window or its output is not what they say (a file from elsewhere may
// round up).
export function sides({ window, strides, dilation, padding, pads, shape }, input) {
  if (!window || input?.length !== 3 || shape.length !== 3) return null;
  const both = [0, 1].map((axis) => side({
    n: input[axis], k: window[axis], s: strides?.[axis] ?? 1, d: dilation?.[axis] ?? 1,
    padding: pads ? [pads[axis], pads[axis + 2]] : padding ?? "valid",
  }));
  return both.every(({ output }, axis) => output === shape[axis]) ? both : null;
}

// How a layer's number of weights comes about, or null where that is not known: "(3·3·1 + 1)·32".
// `group` is how many of the input's channels one kernel reads: fewer than all in a depthwise layer.
export function weightsFormula({ window, shape, parameters, type }, input) {
  if (!parameters || !input) return null;
  const units = shape.at(-1), channels = input.at(-1);
  if (/batchnorm/i.test(type)) return parameters % units ? null : `${parameters / units}·${units}`;
  const area = window ? window[0] * window[1] : 1;
  for (const group of new Set([channels, 1, ...divisors(channels)])) {
    const inner = window ? `${window[0]}·${window[1]}·${group}` : `${group}`;
    if (parameters === (area * group + 1) * units) return `(${inner} + 1)·${units}`;
    if (parameters === area * group * units) return `${inner}·${units}`;
    if (!window) break; // a dense layer reads everything
  }
  return null;
}

function divisors(number) {
  return Array.from({ length: number }, (_, index) => index + 1).filter((one) => number % one === 0);
}

// `view` is /inside's `window` with its arrays decoded: { kind, input: { shape, values }, kernel, bias,
// strides, dilation, pads, before, after }; (row, column) a place of the output.
// → { cells: of the shown channel, row by row: { y, x, inside, value, weight, product }, height, width,
//     perChannel: one sum per input channel, total, top: the largest's index (max) }
export function windowAt(view, row, column, shown, size) {
  const { kind, input, kernel, strides, dilation, pads } = view, [height, width, depth] = input.shape;
  const top = row * strides[0] - pads[0], left = column * strides[1] - pads[1];
  const at = (y, x, channel) => (y < 0 || x < 0 || y >= height || x >= width ? null : input.values[(y * width + x) * depth + channel]);
  const cells = [], perChannel = new Float64Array(depth);
  for (let i = 0; i < size[0]; i++) {
    for (let j = 0; j < size[1]; j++) {
      const y = top + i * dilation[0], x = left + j * dilation[1];
      for (let channel = 0; channel < depth; channel++) {
        const value = at(y, x, channel), weight = kernel ? kernel.values[(i * size[1] + j) * depth + channel] : 1;
        const product = (value ?? 0) * weight; // an added zero counts as 0
        perChannel[channel] += product;
        if (channel === shown) cells.push({ y, x, inside: value !== null, value: value ?? 0, weight, product });
      }
    }
  }
  return { cells, perChannel, ...summary(kind, cells, perChannel, view, row * view.before.shape[1] + column) };
}

function summary(kind, cells, perChannel, { bias, before }, index) {
  if (kind === "convolution") return { total: perChannel.reduce((sum, one) => sum + one, bias ?? 0), top: -1 };
  const real = cells.filter(({ inside }) => inside);
  if (kind === "max") {
    const total = Math.max(...real.map(({ value }) => value));
    return { total, top: cells.findIndex((one) => one.inside && one.value === total), counted: real.length };
  }
  // Some files count added zeros in an average, some do not: the output says which.
  const sum = real.reduce((all, { value }) => all + value, 0);
  const counted = [real.length, cells.length].find((n) => Math.abs(sum / n - before.values[index]) <= 1e-4 * (1 + Math.abs(sum))) ?? real.length;
  return { total: sum / counted, top: -1, counted, sum };
}
