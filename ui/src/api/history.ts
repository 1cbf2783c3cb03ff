// History, asked for in PromQL as Prometheus is.
import { read } from "./request";

const LEAST_WINDOW_S = 60;
const STEPS_IN_WINDOW = 4;
const CLOSE_S = 60;
const PEAK = /\$peak\((.*?)\)/g;

/**
 * A question whose answer is one line or more; `$window` in it becomes a span that fits the step, as `rate` needs one,
 * and `$peak(…)` the value, or the highest that there was since the step before where steps are far apart.
 */
export interface Query {
  expr: string;
  /** What the line is called; made of the answer's labels where there is more than one, and of the window in seconds. */
  label: string | ((labels: Record<string, string>, window_s: number) => string);
}

export interface Line {
  label: string;
  /** One for each of the times, null where nothing is known. */
  values: (number | null)[];
}

export interface Lines {
  times: number[];
  lines: Line[];
}

interface Matrix {
  data: { resultType: string; result: { metric: Record<string, string>; values: [number, string][] }[] };
}

/** Ask for each of the queries between two moments, in Unix seconds, a value each `step_s`. */
export async function readLines(
  queries: readonly Query[],
  { from_s, to_s, step_s }: { from_s: number; to_s: number; step_s: number },
  signal?: AbortSignal,
): Promise<Lines> {
  const times = Array.from({ length: Math.floor((to_s - from_s) / step_s) + 1 }, (_, number) => from_s + number * step_s);
  const window_s = Math.max(LEAST_WINDOW_S, STEPS_IN_WINDOW * step_s);
  const written = (expr: string): string =>
    expr.replaceAll("$window", `${window_s}s`).replace(PEAK, step_s > CLOSE_S ? `max_over_time($1[${step_s}s])` : "$1");
  const answers = await Promise.all(
    queries.map(({ expr }) => {
      const asked = { query: written(expr), start: `${from_s}`, end: `${to_s}`, step: `${step_s}` };
      return read<Matrix>(`/api/v1/query_range?${new URLSearchParams(asked)}`, signal ? { signal } : {});
    }),
  );
  const lines = answers.flatMap(({ data }, number) =>
    data.result.map(({ metric, values }) => {
      const known = new Map(values.map(([at_s, value]) => [Math.round((at_s - from_s) / step_s), Number(value)]));
      const label = queries[number]?.label ?? "";
      return {
        label: typeof label === "string" ? label : label(metric, window_s),
        values: times.map((_, place) => finite(known.get(place))),
      };
    }),
  );
  return { times, lines };
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
