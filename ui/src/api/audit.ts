// The audit log: who changed what.
import { read } from "./request";
import type { AuditEntry, AuditVerdict } from "./schema";

export const MOST_ENTRIES = 100;

/** The newest first; `before` is the number of the last entry of the page before. */
export function listAudit(wanted: Record<string, string>, before = 0): Promise<AuditEntry[]> {
  const query = new URLSearchParams({ limit: String(MOST_ENTRIES) });
  for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, value);
  if (before) query.set("before", String(before));
  return read(`/v1/audit?${query}`);
}

export const verifyAudit = (): Promise<AuditVerdict> => read("/v1/audit/verify");
