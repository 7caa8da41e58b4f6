// A live camera in a dialog, and a picture from it. Browsers lend it to pages over HTTPS or from this
// machine alone; elsewhere a phone's own camera app is the way.

import { t } from "../strings.js";
import { button, el } from "../dom.js";

export const hasCamera = () => window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);

// Resolves to a File, or null if the person closes it or `signal` aborts; rejects if there is no camera or no permission.
export async function photograph(signal) {
  const stream = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 } },
  });
  if (signal.aborted) { // while the browser asked for permission
    for (const track of stream.getTracks()) track.stop();
    return null;
  }
  const video = el("video", { autoplay: true, muted: true, playsinline: "", "aria-label": t("classify.cameraLive") });
  video.srcObject = stream;
  return new Promise((resolve) => {
    let photo = null;
    const dialog = el("dialog", { class: "camera card", "aria-label": t("classify.camera") },
      video,
      el("div", { class: "row" },
        button("camera", t("classify.take"), async () => {
          if (!video.videoWidth) return; // no picture has come yet
          photo = await frame(video);
          dialog.close();
        }, { class: "main-button", autofocus: true }),
        button("clear", t("classify.close"), () => dialog.close())));
    dialog.addEventListener("close", () => {
      for (const track of stream.getTracks()) track.stop();
      dialog.remove();
      resolve(photo);
    });
    signal.addEventListener("abort", () => dialog.close(), { once: true });
    document.body.append(dialog);
    dialog.showModal();
  });
}

async function frame(video) {
  const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  return new File([blob], "photo.jpg", { type: blob.type });
}
