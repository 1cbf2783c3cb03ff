// Bytes that came inside JSON, for reading.
import { laidOut } from "./json";

const MOST = 256 * 1024;

/** Return what the Base64 stands for as a text; JSON is laid out, and null is what no text can show. */
export function textIn(base64: string): string | null {
  const text = decoded(base64);
  return text !== null && text.length > MOST ? `${text.slice(0, MOST)}…` : editable(base64);
}

/** The same, to be changed and sent: null is also what is longer than anybody reads. */
export function editable(base64: string): string | null {
  const text = decoded(base64);
  return text === null || text.length > MOST ? null : laidOut(text) ?? text;
}

function decoded(base64: string): string | null {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

/** The same, with words for what is none. */
export function shownText(base64: string): string {
  return textIn(base64) ?? `${Math.floor((base64.length * 3) / 4).toLocaleString()} bytes that are no text`;
}
