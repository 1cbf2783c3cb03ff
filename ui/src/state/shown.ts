// What to make of an answer's bytes: text, laid out JSON, a picture, a file. Nothing here is ever a page.
import { type Answer, headerOf } from "../api/calls";

export const SHAPES = ["auto", "text", "json", "image", "download"] as const;
export type Shape = (typeof SHAPES)[number];
const MOST_TEXT = 256 * 1024;
const MOST_IMAGE = 16 * 1024 * 1024;
const EXTENSIONS: Record<string, string> = {
  "application/json": "json", "application/pdf": "pdf", "application/zip": "zip", "image/gif": "gif",
  "image/jpeg": "jpg", "image/png": "png", "image/svg+xml": "svg", "image/webp": "webp", "text/csv": "csv",
  "text/html": "html", "text/plain": "txt",
};

export function typeOf(answer: Answer): string {
  return (headerOf(answer, "content-type").split(";")[0] ?? "").trim().toLowerCase();
}

/** How an answer is best looked at. */
export function shapeOf(answer: Answer): Exclude<Shape, "auto"> {
  const type = typeOf(answer);
  if (/^image\/[\w.+-]+$/.test(type) && answer.body.length <= MOST_IMAGE) return "image";
  if (type.endsWith("json")) return "json";
  if (type.startsWith("text/") || /xml|javascript|urlencoded/.test(type)) return "text";
  return isText(answer.body) ? "text" : "download";
}

export function textOf(answer: Answer): { text: string; cut: boolean } {
  const cut = answer.body.length > MOST_TEXT;
  return { text: new TextDecoder().decode(cut ? answer.body.subarray(0, MOST_TEXT) : answer.body), cut };
}

/** The picture as a `data:` address: unlike a `blob:` one it has no origin, not even in a tab of its own. */
export async function pictureOf(answer: Answer): Promise<string> {
  const type = typeOf(answer);
  const blob = new Blob([answer.body], { type: type.startsWith("image/") ? type : "image/png" });
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(new Error("The answer cannot be read as an image"));
    reader.readAsDataURL(blob);
  });
}

/** Hand the answer over as a file. Its type is kept from the browser, which so never opens it. */
export function download(answer: Answer, name: string): void {
  const address = URL.createObjectURL(new Blob([answer.body], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function fileNameOf(answer: Answer, functionName: string, extension: string | undefined): string {
  const said = /filename="?([\w. -]{1,100})"?/.exec(headerOf(answer, "content-disposition"))?.[1];
  const wanted = /^\.?([a-z0-9]{1,8})$/i.exec(extension ?? "")?.[1];
  return said ?? `${functionName}.${wanted ?? EXTENSIONS[typeOf(answer)] ?? "bin"}`;
}

function isText(body: Uint8Array): boolean {
  try {
    return !new TextDecoder("utf-8", { fatal: true }).decode(body.subarray(0, 4096), { stream: true }).includes("\0");
  } catch {
    return false;
  }
}
