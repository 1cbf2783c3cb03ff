// Reports, of a namespace or of the whole installation, which is the empty one.
import { read, request, send } from "./request";
import type { ReportFigures, ReportRequest, ReportStatus } from "./schema";

export const FORMS = [["pdf", "PDF"], ["html", "HTML"], ["text", "Text"]] as const;
export type Form = (typeof FORMS)[number][0];

function of(name: string, namespace: string, more = "", asked: Record<string, string> = {}): string {
  const query = new URLSearchParams({ ...(namespace ? { namespace } : {}), ...asked }).toString();
  return `/v1/reports/${encodeURIComponent(name)}${more}${query ? `?${query}` : ""}`;
}

export const listReports = (): Promise<ReportStatus[]> => read("/v1/reports");

export const putReport = (name: string, namespace: string, wanted: ReportRequest): Promise<ReportStatus> =>
  send("PUT", of(name, namespace), wanted);

export async function removeReport(name: string, namespace: string): Promise<void> {
  await request(of(name, namespace), { method: "DELETE" });
}

/** What would be sent now, or what there is so far for the next one. */
export const figuresOf = (name: string, namespace: string, so_far: boolean): Promise<ReportFigures> =>
  read(of(name, namespace, "/figures", { so_far: String(so_far) }));

export async function fileOf(name: string, namespace: string, format: Form): Promise<Blob> {
  return (await request(of(name, namespace, "/preview", { format }))).blob();
}

/** Send it to its receivers; return whom. */
export async function sendReport(name: string, namespace: string): Promise<string[]> {
  return (await read<{ receivers: string[] }>(of(name, namespace, "/send"), { method: "POST" })).receivers;
}
