// Every error that the API has, and what a program does about it: docs/api.md's table, for this page.

import { el } from "../dom.js";
import { t } from "../strings.js";

const CODES = {
  400: ["empty_body", "no_file", "bad_multipart", "bad_json", "bad_base64", "bad_request"],
  401: ["unauthorized"],
  404: ["unknown_model", "unknown_sample", "file_replaced", "not_found"],
  405: ["method_not_allowed"],
  408: ["request_timeout"],
  413: ["body_too_large", "too_many_images"],
  415: ["unsupported_image", "unsupported_media_type"],
  422: ["invalid_image", "image_too_large", "invalid_parameter", "opaque_model", "no_embedding"],
  431: ["headers_too_large"],
  500: ["internal"],
  503: ["overloaded", "not_ready"],
};

export function errorTable() {
  const rows = Object.entries(CODES).flatMap(([status, codes]) => codes.map((code) => el("tr", {},
    el("td", { class: "number" }, status), el("th", { scope: "row" }, el("code", {}, code)), el("td", {}, t(`use.error.${code}`)))));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("use.errorsTable") },
    el("table", {}, el("caption", { class: "unseen" }, t("use.errorsTable")),
      el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "number" }, "HTTP"), el("th", { scope: "col" }, "code"), el("th", { scope: "col" }, t("use.todo")))),
      el("tbody", {}, rows)));
}
