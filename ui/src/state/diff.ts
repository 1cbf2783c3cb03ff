// How two texts differ, a line at a time: the longest common run of lines stays, the rest went or came.
export interface Line {
  kind: "same" | "went" | "came";
  text: string;
}

const MOST_LINES = 2000;

/** Return the lines of both in order. Texts too long to compare go whole and come whole. */
export function diffOf(before: string, after: string): Line[] {
  const old = before.split("\n");
  const now = after.split("\n");
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < old.length - start && end < now.length - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  const middle = between(old.slice(start, old.length - end), now.slice(start, now.length - end));
  return [...as("same", old.slice(0, start)), ...middle, ...as("same", old.slice(old.length - end))];
}

function between(old: string[], now: string[]): Line[] {
  if (old.length > MOST_LINES || now.length > MOST_LINES) return [...as("went", old), ...as("came", now)];
  // common[i][j]: how many lines the rest of the old from i and of the new from j have in common, in order.
  const common = Array.from({ length: old.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      common[i]![j] = old[i] === now[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) lines.push({ kind: "same", text: old[i++]! }), (j += 1);
    else if (common[i + 1]![j]! >= common[i]![j + 1]!) lines.push({ kind: "went", text: old[i++]! });
    else lines.push({ kind: "came", text: now[j++]! });
  }
  return [...lines, ...as("went", old.slice(i)), ...as("came", now.slice(j))];
}

const as = (kind: Line["kind"], texts: string[]): Line[] => texts.map((text) => ({ kind, text }));
