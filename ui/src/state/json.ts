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
