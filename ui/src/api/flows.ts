// Flows and their runs.
import { read, request, send } from "./request";
import type { FlowRequest, FlowStatus, Judgement, RunReport, RunSummary } from "./schema";

const of = (namespace: string): string => `/v1/namespaces/${encodeURIComponent(namespace)}`;
const flow = (namespace: string, name: string): string => `${of(namespace)}/flows/${encodeURIComponent(name)}`;
const run = (namespace: string, id: string): string => `${of(namespace)}/flow-runs/${encodeURIComponent(id)}`;

export const listFlows = (namespace: string): Promise<FlowStatus[]> => read(`${of(namespace)}/flows`);

export const describeFlow = (namespace: string, name: string): Promise<FlowStatus> => read(flow(namespace, name));

export const putFlow = (namespace: string, name: string, wanted: FlowRequest, isNew: boolean): Promise<FlowStatus> =>
  send("PUT", `${flow(namespace, name)}?mode=${isNew ? "create" : "upsert"}`, wanted);

export async function removeFlow(namespace: string, name: string): Promise<void> {
  await request(flow(namespace, name), { method: "DELETE" });
}

export const beginRun = (namespace: string, name: string, input: string): Promise<RunReport> =>
  read(`${flow(namespace, name)}/runs`, { method: "POST", ...dataOf(input) });

export function listRuns(namespace: string, name = "", state = ""): Promise<RunSummary[]> {
  const query = new URLSearchParams({ ...(name ? { flow: name } : {}), ...(state ? { state } : {}) });
  return read(`${of(namespace)}/flow-runs?${query}`);
}

export const describeRun = (namespace: string, id: string): Promise<RunReport> => read(run(namespace, id));

export const cancelRun = (namespace: string, id: string): Promise<RunReport> => read(run(namespace, id), { method: "DELETE" });

export async function sendEvent(namespace: string, id: string, event: string, payload: string): Promise<void> {
  await request(`${run(namespace, id)}/events/${encodeURIComponent(event)}`, { method: "POST", ...dataOf(payload) });
}

export async function judge(namespace: string, id: string, step: string, said: Judgement): Promise<void> {
  const options = { method: "POST", body: JSON.stringify(said), type: "application/json" };
  await request(`${run(namespace, id)}/approvals/${encodeURIComponent(step)}`, options);
}

export const rerun = (namespace: string, id: string, from: string, current: boolean): Promise<RunReport> =>
  send("POST", `${run(namespace, id)}/rerun`, { from, current });

/** What somebody wrote, as JSON where it is, else as a text. */
function dataOf(text: string): { body: string; type: string } | Record<string, never> {
  if (!text.trim()) return {};
  try {
    JSON.parse(text);
    return { body: text, type: "application/json" };
  } catch {
    return { body: text, type: "text/plain" };
  }
}
