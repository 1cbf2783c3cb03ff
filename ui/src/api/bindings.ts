// What leads to a function: routes and triggers of its namespace.
import { read, request, send } from "./request";
import type { RouteRequest, RouteStatus, TriggerRequest, TriggerStatus } from "./schema";

export type Kind = "routes" | "triggers";

const pathOf = (kind: Kind, namespace: string, name = ""): string =>
  `/v1/namespaces/${encodeURIComponent(namespace)}/${kind}${name ? `/${encodeURIComponent(name)}` : ""}`;

export const listRoutes = (namespace: string): Promise<RouteStatus[]> => read(pathOf("routes", namespace));

export const listTriggers = (namespace: string): Promise<TriggerStatus[]> => read(pathOf("triggers", namespace));

/** Let this be so from now on. */
export async function put(kind: Kind, namespace: string, name: string, wanted: RouteRequest | TriggerRequest): Promise<void> {
  await send("PUT", pathOf(kind, namespace, name), wanted);
}

export async function remove(kind: Kind, namespace: string, name: string): Promise<void> {
  await request(pathOf(kind, namespace, name), { method: "DELETE" });
}
