// Bytes that came inside JSON, for reading.
import { laidOut } from "./json";

const MOST = 256 * 1024;

/** Return what the Base64 stands for as a text; JSON is laid out, and null is what no text can show. */
export function textIn(base64: string): string | null {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    if (text.includes("\0")) return null;
    return text.length > MOST ? `${text.slice(0, MOST)}…` : laidOut(text) ?? text;
  } catch {
    return null;
  }
}

/** The same, with words for what is none. */
export function shownText(base64: string): string {
  return textIn(base64) ?? `${Math.floor((base64.length * 3) / 4).toLocaleString()} bytes that are no text`;
}
