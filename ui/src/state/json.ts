// JSON laid out for reading, token by token: numbers stay as they were written, which reading and writing them again
// would not guarantee.
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Return the text with a member a line, null when it is no JSON. */
export function laidOut(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const parts: string[] = [];
  let depth = 0;
  let before = "";
  for (const [token] of text.matchAll(TOKEN)) {
    const closes = token === "}" || token === "]";
    const opened = before === "{" || before === "[";
    if (closes) depth -= 1;
    if (closes ? !opened : opened || before === ",") parts.push("\n", "  ".repeat(depth));
    if (token === "{" || token === "[") depth += 1;
    parts.push(token === ":" ? ": " : token);
    before = token;
  }
  return parts.join("");
}

/** A value of JSON to be looked at piece by piece; what is no object and no list is kept as it was written. */
export type Node =
  | { kind: "object" | "list"; members: { name: string; value: Node }[] }
  | { kind: "string" | "plain"; text: string };

/** Return the text as a tree, null when it is no JSON or has more than `most` values. */
export function treeOf(text: string, most = 20_000): Node | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const tokens = Array.from(text.matchAll(TOKEN), ([token]) => token);
  if (tokens.length > 4 * most) return null;
  let at = 0;
  const value = (): Node => {
    const token = tokens[at++] ?? "";
    if (token === "{" || token === "[") {
      const members: { name: string; value: Node }[] = [];
      while (tokens[at] !== "}" && tokens[at] !== "]") {
        const name = token === "{" ? (JSON.parse(tokens[at] ?? '""') as string) : String(members.length);
        if (token === "{") at += 2;
        members.push({ name, value: value() });
        if (tokens[at] === ",") at += 1;
      }
      at += 1;
      return { kind: token === "{" ? "object" : "list", members };
    }
    return token.startsWith('"') ? { kind: "string", text: token } : { kind: "plain", text: token };
  };
  try {
    return value();
  } catch {
    return null; // nested deeper than can be shown
  }
}
