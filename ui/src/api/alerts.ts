// Alerts, the rules that find them, silences, and who is told. The installation's own are those without a namespace.
import { read, request, send } from "./request";
import type { Alert, PastAlert, ReceiverRequest, ReceiverStatus, RuleRequest, RuleStatus, Silence, SilenceRequest } from "./schema";

const at = (namespace: string): string => (namespace ? `?namespace=${encodeURIComponent(namespace)}` : "");
const rule = (name: string, namespace: string): string => `/v1/alerts/rules/${encodeURIComponent(name)}${at(namespace)}`;
const receiver = (name: string, namespace: string, more = ""): string =>
  `/v1/alerts/receivers/${encodeURIComponent(name)}${more}${at(namespace)}`;

/** Those that fire first. */
export const listAlerts = (): Promise<Alert[]> => read("/v1/alerts");

export const MOST_PAST = 25;

/** Those that fired, the newest first; `before` is the number of the last one of the page before. */
export function listPastAlerts(wanted: Record<string, string>, before = 0): Promise<PastAlert[]> {
  const query = new URLSearchParams({ limit: String(MOST_PAST) });
  for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, value);
  if (before) query.set("before", String(before));
  return read(`/v1/alerts/history?${query}`);
}

export const listRules = (): Promise<RuleStatus[]> => read("/v1/alerts/rules");

export const putRule = (name: string, namespace: string, wanted: RuleRequest): Promise<RuleStatus> =>
  send("PUT", rule(name, namespace), wanted);

export async function removeRule(name: string, namespace: string): Promise<void> {
  await request(rule(name, namespace), { method: "DELETE" });
}

export const listSilences = (): Promise<Silence[]> => read("/v1/alerts/silences");

export const silence = (namespace: string, wanted: SilenceRequest): Promise<Silence> =>
  send("POST", `/v1/alerts/silences${at(namespace)}`, wanted);

export async function endSilence(id: string): Promise<void> {
  await request(`/v1/alerts/silences/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export const listReceivers = (): Promise<ReceiverStatus[]> => read("/v1/alerts/receivers");

export const putReceiver = (name: string, namespace: string, wanted: ReceiverRequest): Promise<ReceiverStatus> =>
  send("PUT", receiver(name, namespace), wanted);

export async function removeReceiver(name: string, namespace: string): Promise<void> {
  await request(receiver(name, namespace), { method: "DELETE" });
}

export const testReceiver = (name: string, namespace: string): Promise<{ trouble: string }> =>
  read(receiver(name, namespace, "/test"), { method: "POST" });
