// Where a line has the words that were searched for. The platform alone decides which lines are found; this colours them.
const TERM = /(-?)(?:"([^"]*)"|([^\s*]+))(\*?)/gu;
const WORD = /[\p{L}\p{N}]+/gu;
const ACCENT = /\p{M}/gu;

/** The text in pieces, each second of which is a word that was searched for; case and accents make no difference. */
export function piecesOf(text: string, search: string): string[] {
  const words: string[] = [];
  for (const [, absent, quoted, bare, prefix] of plain(search).matchAll(TERM)) {
    const term = (quoted ?? bare ?? "").match(WORD) ?? [];
    if (!absent) words.push(...term.map((word, at) => (prefix && at === term.length - 1 ? `${word}[\\p{L}\\p{N}]*` : word)));
  }
  if (words.length === 0) return [text];
  const wanted = new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.join("|")})(?![\\p{L}\\p{N}])`, "giu");
  const { folded, places } = foldedOf(text);
  const pieces: string[] = [];
  let end = 0;
  for (const { 0: found, index } of folded.matchAll(wanted)) {
    const [from, to] = [places[index] ?? 0, places[index + found.length] ?? text.length];
    pieces.push(text.slice(end, from), text.slice(from, to));
    end = to;
  }
  return [...pieces, text.slice(end)];
}

const plain = (text: string): string => text.normalize("NFD").replace(ACCENT, "");

/** The text without accents, and for each place in it where that is in the text. */
function foldedOf(text: string): { folded: string; places: number[] } {
  const places: number[] = [];
  let folded = "";
  let at = 0;
  for (const letter of text) {
    const bare = plain(letter);
    for (let unit = 0; unit < bare.length; unit += 1) places.push(at);
    folded += bare;
    at += letter.length;
  }
  return { folded, places };
}
