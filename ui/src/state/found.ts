// Where a line has the words that were searched for. The platform alone decides which lines are found; this colours them.
const TERM = /(-?)(?:"([^"]*)"|([^\s*]+))(\*?)/gu;
const WORD = /[\p{L}\p{N}]+/gu;

/** The text in pieces, each second of which is a word that was searched for. */
export function piecesOf(text: string, search: string): string[] {
  const words: string[] = [];
  for (const [, absent, quoted, bare, prefix] of search.matchAll(TERM)) {
    const term = (quoted ?? bare ?? "").match(WORD) ?? [];
    if (!absent) words.push(...term.map((word, at) => (prefix && at === term.length - 1 ? `${word}[\\p{L}\\p{N}]*` : word)));
  }
  return words.length ? text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${words.join("|")})(?![\\p{L}\\p{N}])`, "giu")) : [text];
}
