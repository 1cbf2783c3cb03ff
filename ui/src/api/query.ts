// Questions in SQL over calls, logs, figures and inventory, as far as the credential is good for them.
import { read, request, send } from "./request";
import type { QueryAnswer, SavedQuery, SavedQuerySpec, TableInfo } from "./schema";

export const FORMATS = ["csv", "xlsx", "parquet", "json"] as const;
export type Format = (typeof FORMATS)[number];

export const ask = (sql: string, limit: number): Promise<QueryAnswer> => send("POST", "/v1/query", { sql, limit });

export const listTables = (): Promise<TableInfo[]> => read("/v1/query/tables");

export const listSaved = (): Promise<SavedQuery[]> => read("/v1/queries");

export const saveQuery = (name: string, spec: SavedQuerySpec): Promise<SavedQuery> =>
  send("PUT", `/v1/queries/${encodeURIComponent(name)}`, spec);

export async function removeQuery(name: string): Promise<void> {
  await request(`/v1/queries/${encodeURIComponent(name)}`, { method: "DELETE" });
}

/** What it finds as a file. */
export async function exportOf(sql: string, format: Format): Promise<Blob> {
  return (await request(`/v1/query/export?${new URLSearchParams({ sql, format })}`)).blob();
}
