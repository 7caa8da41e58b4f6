// A picture that the service refuses for its size, made smaller here, if the person asks for it. It is
// the one place where the page touches a picture before it is sent; the answer may differ slightly.

const MAX_SIDE = 2048; // pixels: far above what any network looks at

// What is transparent lies on `background` [red, green, blue], as it would in the service.
export async function shrunk(blob, background) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = `rgb(${background.join(" ")})`;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}
