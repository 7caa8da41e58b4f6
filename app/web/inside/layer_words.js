// A layer in words: what it is, why its output has that size, where its weights come from. Knows
// nothing of pictures, nor of where the words stand.

import { t } from "../strings.js";
import { count, times } from "./figures.js";
import { sides, sizeFormula, weightsFormula } from "./shapes.js";

const KINDS = { // of Keras' types; any other is called as it is
  Conv2D: "convolution", DepthwiseConv2D: "depthwise", MaxPooling2D: "max", AveragePooling2D: "average",
  GlobalMaxPooling2D: "globalMax", GlobalAveragePooling2D: "globalAverage", Flatten: "flatten", Dense: "dense",
  BatchNormalization: "normalisation", Add: "add", Concatenate: "concatenate", Activation: "activation",
  WithMirrorImages: "withMirror", WithShifted: "withShifted", MeanOfViews: "meanOfViews",
  MeanOfBothViews: "meanOfViews", // its name in files made before there were more than two
};
const ACTIVATIONS = { relu: "ReLU", relu6: "ReLU6" };

// "Convolution 3×3, ReLU"
export function title(layer) {
  const kind = KINDS[layer.type], window = layer.window ? ` ${times(layer.window)}` : "";
  return `${kind ? t(`inside.kind.${kind}`) : layer.type}${window}${layer.activation ? `, ${activationName(layer.activation)}` : ""}`;
}

export function activationName(name) {
  return ACTIVATIONS[name] ?? name;
}

// { formula, sentence } of the output's size; `input` is the shape the layer reads.
export function whySize(layer, input) {
  const kind = KINDS[layer.type], both = sides(layer, input);
  if (both) return { formula: sideFormulas(both).join(", "), sentence: windowSentence(both) };
  if (kind === "flatten" && input?.length === 3) {
    return { formula: `${input.join("·")} = ${layer.shape[0]}`, sentence: t("inside.why.flatten") };
  }
  const last = layer.shape.at(-1);
  if (["dense", "globalMax", "globalAverage", "add", "concatenate", "withMirror", "withShifted", "meanOfViews"].includes(kind)) {
    return { formula: "", sentence: t(`inside.why.${kind}`, { units: count(last) }) };
  }
  const same = input && times(input) === times(layer.shape);
  return { formula: "", sentence: same ? t("inside.why.unchanged") : "" };
}

function sideFormulas([rows, columns]) {
  const alike = ["n", "k", "s", "d", "before", "after"].every((key) => rows[key] === columns[key]);
  return alike ? [sizeFormula(rows)] : [sizeFormula(rows), sizeFormula(columns)];
}

function windowSentence([rows, columns]) {
  const parts = [t("inside.why.window", { k: columns.k, n: columns.n, output: columns.output, s: columns.s })];
  if (rows.before + rows.after + columns.before + columns.after) {
    parts.push(t("inside.why.zeros", { pads: arrows([rows.before, columns.before, rows.after, columns.after]) }));
  } else parts.push(t("inside.why.noZeros"));
  if (rows.d > 1 || columns.d > 1) parts.push(t("inside.why.dilation", { d: columns.d }));
  const lost = [rows, columns].map(({ unused, after }) => Math.max(0, unused - after)); // not counting added zeros
  if (lost[0] || lost[1]) parts.push(t(lost.join() === "1,1" ? "inside.why.unusedBoth" : "inside.why.unused", { rows: lost[0], columns: lost[1] }));
  else if (rows.unused || columns.unused) parts.push(t("inside.why.unusedZeros"));
  return parts.join(" ");
}

// { formula, sentence } of its weights.
export function whyWeights(layer, input) {
  const formula = weightsFormula(layer, input), units = count(layer.shape.at(-1));
  if (!formula) return { formula: "", sentence: "" };
  const key = layer.window ? "kernels" : layer.type === "Dense" && "units";
  const bias = formula.startsWith("(") ? t("inside.weights.bias") : "";
  return {
    formula: `${formula} = ${count(layer.parameters)}`, sentence: key ? t(`inside.weights.${key}`, { units, bias }) : "",
  };
}

// The zeros added around the input: 0, or "↑0 ←0 ↓1 →1".
export function border({ window, padding, pads }) {
  if (!window) return "";
  if (!pads) return padding === "same" ? padding : "0";
  return pads.some(Boolean) ? arrows(pads) : "0";
}

function arrows(pads) {
  return pads.map((pad, side) => "↑←↓→"[side] + pad).join(" ");
}

// The shape that each layer reads: a function of the layer.
export function inputsOf(layers, { preprocess: { height, width, channels } }) {
  const shapes = new Map(layers.map(({ name, shape }) => [name, shape]));
  const image = [height, width, channels ?? 3];
  return ({ inputs }) => (inputs[0] === "image" ? image : shapes.get(inputs[0]) ?? null);
}
