// Tokens of a namespace, or of the whole installation where that is null. The text of one is told once.
import { read, request, send } from "./request";
import type { IssuedToken, TokenRequest, TokenStatus } from "./schema";

const of = (namespace: string | null): string =>
  namespace === null ? "/v1/tokens" : `/v1/namespaces/${encodeURIComponent(namespace)}/tokens`;

export const listTokens = (namespace: string | null): Promise<TokenStatus[]> => read(of(namespace));

export const issueToken = (namespace: string | null, wanted: TokenRequest): Promise<IssuedToken> =>
  send("POST", of(namespace), wanted);

export async function revokeToken(namespace: string | null, id: string): Promise<void> {
  await request(`${of(namespace)}/${encodeURIComponent(id)}`, { method: "DELETE" });
}
