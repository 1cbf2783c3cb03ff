// Which stretch of time charts show: the last minutes to months, going on by itself, or a piece that somebody chose.
const MOST_POINTS = 240;
const STEPS_S = [10, 15, 30, 60, 120, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];
const MINUTE_S = 60;
const DAY_S = 86_400;
export const SPANS = [
  { seconds: 15 * MINUTE_S, words: "15 minutes" },
  { seconds: 60 * MINUTE_S, words: "1 hour" },
  { seconds: 6 * 60 * MINUTE_S, words: "6 hours" },
  { seconds: DAY_S, words: "1 day" },
  { seconds: 7 * DAY_S, words: "1 week" },
  { seconds: 30 * DAY_S, words: "1 month" },
  { seconds: 90 * DAY_S, words: "3 months" },
  { seconds: 365 * DAY_S, words: "1 year" },
] as const;
const LEAST_S = 60;

/** A stretch of time in Unix seconds, cut into steps. */
export interface Stretch {
  from_s: number;
  to_s: number;
  step_s: number;
}

/** One for all charts of a view: what is zoomed in one is zoomed in all. */
export class Span {
  seconds = $state<number>(SPANS[1].seconds);
  chosen = $state.raw<{ from_s: number; to_s: number } | null>(null);

  last(seconds: number): void {
    this.seconds = seconds;
    this.chosen = null;
  }

  /** Look at this piece only; too short a one is made longer. */
  zoom(from_s: number, to_s: number): void {
    const more = Math.max(0, LEAST_S - (to_s - from_s)) / 2;
    this.chosen = { from_s: from_s - more, to_s: to_s + more };
  }

  /** Look at `factor` times as much around the middle. */
  scale(factor: number, now_s: number): void {
    const { from_s, to_s } = this.stretch(now_s);
    const half = ((to_s - from_s) * factor) / 2;
    const middle = (from_s + to_s) / 2;
    const until = Math.min(middle + half, now_s);
    this.zoom(until - 2 * half, until);
  }

  live(): void {
    this.chosen = null;
  }

  stretch(now_s: number): Stretch {
    const { from_s, to_s } = this.chosen ?? { from_s: now_s - this.seconds, to_s: now_s };
    const step_s = STEPS_S.find((step) => (to_s - from_s) / step <= MOST_POINTS) ?? DAY_S * Math.ceil((to_s - from_s) / DAY_S / MOST_POINTS);
    // The end counts, and what was measured in this second: a step can be two days, and its last are looked for.
    const last_s = Math.ceil(to_s);
    return { from_s: last_s - Math.floor((to_s - from_s) / step_s) * step_s, to_s: last_s, step_s };
  }
}
