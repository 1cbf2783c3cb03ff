// Records of calls that are over, and making one of them once more.
import { read, request, send } from "./request";
import type { CallPayload, Invocation, LogLine, Replay, ReplayOrder } from "./schema";

export const MOST_RECORDS = 200;

/** Which calls are wanted; what is empty narrows nothing. Times are RFC 3339 or durations as `10m`, statuses `404` or `5xx`. */
export interface Wanted {
  function: string;
  failed: boolean;
  since: string;
  until: string;
  slow: string;
  status: string;
  trigger: string;
}

const of = (id: string): string => `/v1/calls/${encodeURIComponent(id)}`;

/** The newest first; `before` is the number of the last record of the page before. */
export function listRecords(namespace: string, wanted: Wanted, before = 0): Promise<Invocation[]> {
  const query = new URLSearchParams({ limit: String(MOST_RECORDS) });
  for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, String(value));
  if (before) query.set("before", String(before));
  return read(`/v1/namespaces/${encodeURIComponent(namespace)}/records?${query}`);
}

/** One for each attempt, the oldest first. */
export const recordsOf = (id: string): Promise<Invocation[]> => read(`${of(id)}/records`);

export const payloadsOf = (id: string): Promise<CallPayload[]> => read(`${of(id)}/payloads`);

export async function logOf(id: string): Promise<LogLine[]> {
  const text = await (await request(`${of(id)}/logs`)).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line) as LogLine);
}

export const replay = (namespace: string, id: string, order: ReplayOrder): Promise<Replay> =>
  send("POST", `/v1/namespaces/${encodeURIComponent(namespace)}/calls/${encodeURIComponent(id)}/replay`, order);
