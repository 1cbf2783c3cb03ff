// Routes: addresses of one's own that lead to functions, and the hosts that namespaces may have in them.
import { read, request, send } from "./request";
import type { HostGrant, RouteRequest, RouteStatus } from "./schema";

const all = (namespace: string): string => `/v1/namespaces/${encodeURIComponent(namespace)}/routes`;
const one = (namespace: string, name: string): string => `${all(namespace)}/${encodeURIComponent(name)}`;
const host = (name: string): string => `/v1/hosts/${encodeURIComponent(name)}`;

export const listRoutes = (namespace: string): Promise<RouteStatus[]> => read(all(namespace));

export const putRoute = (namespace: string, name: string, wanted: RouteRequest, isNew: boolean): Promise<RouteStatus> =>
  send("PUT", `${one(namespace, name)}?mode=${isNew ? "create" : "upsert"}`, wanted);

export async function removeRoute(namespace: string, name: string): Promise<void> {
  await request(one(namespace, name), { method: "DELETE" });
}

export const listHosts = (): Promise<HostGrant[]> => read("/v1/hosts");

/** Let the namespace have the host in its routes; `*` is every host that is no route's. */
export const grantHost = (name: string, namespace: string): Promise<HostGrant> => send("PUT", host(name), { namespace });

export async function revokeHost(name: string, namespace: string): Promise<void> {
  await request(`${host(name || "*")}?${new URLSearchParams({ namespace })}`, { method: "DELETE" });
}
