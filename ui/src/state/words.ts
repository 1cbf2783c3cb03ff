// Figures and times as people say them.
const BYTES = ["B", "KiB", "MiB", "GiB"];

export function size(bytes: number): string {
  let unit = 0;
  for (; bytes >= 1024 && unit < BYTES.length - 1; unit += 1) bytes /= 1024;
  return `${unit === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${BYTES[unit]}`;
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
  return seconds < 120 ? `${seconds.toFixed(2)} s` : `${Math.round(seconds / 60)} min`;
}

const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]] as const;

/** A length of time in the largest unit of which it is a whole number. */
export function whole(seconds: number): string {
  const [unit, length] = UNITS.find(([, each]) => seconds % each === 0) ?? UNITS[3];
  return `${seconds / length} ${unit}${seconds === length ? "" : "s"}`;
}

export function ago(unix_ms: number, now_ms: number): string {
  const seconds = Math.max(0, Math.round((now_ms - unix_ms) / 1000));
  for (const [unit, length] of UNITS.slice(0, 3)) {
    const number = Math.floor(seconds / length);
    if (number >= 1) return `${number} ${unit}${number === 1 ? "" : "s"} ago`;
  }
  return seconds < 5 ? "just now" : `${seconds} seconds ago`;
}

export function clock(unix_ms: number): string {
  return new Date(unix_ms).toLocaleTimeString(undefined, { hour12: false });
}

export function count(number: number): string {
  return number.toLocaleString();
}

/** A moment of a chart, with the day where it is not today. */
export function moment(unix_s: number): string {
  const at = new Date(unix_s * 1000);
  const day = at.toDateString() === new Date().toDateString() ? "" : `${at.toLocaleDateString(undefined, { month: "short", day: "numeric" })}, `;
  return day + at.toLocaleTimeString(undefined, { hour12: false });
}

/** A part of a whole, given from 0 to 1. */
export function share(part: number): string {
  const percent = part * 100;
  return `${percent === 0 || percent >= 10 ? Math.round(percent) : percent < 0.1 ? "< 0.1" : percent.toFixed(1)} %`;
}
