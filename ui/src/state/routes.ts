// What a form asks of a route, and the route that it means: what is left empty is left out, so that the platform's own
// defaults hold; whether it can be so, the platform says.
import type { RouteRequest } from "../api/schema";

export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] as const;
export type AuthKind = "" | "key" | "basic" | "jwt" | "hmac";
export const AUTHS: readonly [AuthKind, string][] = [
  ["", "Anybody"], ["key", "Who has a key"], ["basic", "Who has a name and a password"], ["jwt", "Who has a JSON Web Token"], ["hmac", "Who signs the body (webhooks)"],
];
/** What is in the secret of each. */
export const SECRETS: Record<Exclude<AuthKind, "">, string> = {
  key: "one key of 16 characters or more a line, as KEY or NAME:KEY",
  basic: "one NAME:PASSWORD a line",
  jwt: "a JSON Web Key Set, or for HS256 and its like the shared key",
  hmac: "one key of 16 characters or more a line",
};

export interface RouteForm {
  host: string;
  path: string;
  strip: boolean;
  methods: string[];
  targets: { function: string; weight: number }[];
  auth: AuthKind;
  header: string;
  issuer: string;
  audience: string;
  algorithms: string;
  jwks: string;
  leeway: string;
  scheme: string;
  window: string;
  signed_body: string;
  calls: string;
  rate_window: string;
  rate_by: string;
  max_body: string;
  cors: boolean;
  origins: string;
  cors_methods: string;
  cors_headers: string;
  expose: string;
  credentials: boolean;
  max_age: string;
}

/** Fields at which a refusal can stand, as the platform calls them. */
export const FIELDS = [
  "host", "path", "strip", "methods", "targets", "auth", "auth.secret", "auth.header", "auth.issuer", "auth.audience", "auth.algorithms",
  "auth.jwks", "auth.leeway", "auth.window", "auth.max_body", "rate.calls", "rate.window", "rate.by", "max_body", "cors.origins",
  "cors.methods", "cors.headers", "cors.max_age",
];

type Auth = NonNullable<RouteRequest["auth"]>;

export function formOf(spec: Partial<RouteRequest>): RouteForm {
  const { auth, cors, rate } = spec;
  const of = <K extends Auth["kind"]>(kind: K): Partial<Extract<Auth, { kind: K }>> => (auth?.kind === kind ? (auth as Extract<Auth, { kind: K }>) : {});
  const [jwt, hmac] = [of("jwt"), of("hmac")];
  const list = (texts: readonly string[] = []): string => texts.join(", ");
  return {
    host: spec.host ?? "", path: spec.path ?? "/*", strip: spec.strip ?? false, methods: [...(spec.methods ?? [])],
    targets: (spec.targets ?? []).map(({ function: name, weight = 1 }) => ({ function: name, weight })),
    auth: auth?.kind ?? "", header: of("key").header ?? hmac.header ?? "",
    issuer: jwt.issuer ?? "", audience: list(jwt.audience), algorithms: list(jwt.algorithms), leeway: jwt.leeway ?? "",
    jwks: jwt.jwks ? JSON.stringify(jwt.jwks, null, 2) : "",
    scheme: hmac.scheme ?? "github", window: hmac.window ?? "", signed_body: hmac.max_body ?? "",
    calls: rate ? String(rate.calls) : "", rate_window: rate?.window ?? "", rate_by: rate?.by ?? "client", max_body: spec.max_body ?? "",
    cors: Boolean(cors), origins: list(cors?.origins), cors_methods: list(cors?.methods), cors_headers: list(cors?.headers),
    expose: list(cors?.expose), credentials: cors?.credentials ?? false, max_age: cors?.max_age ?? "",
  };
}

/** The route that the form means. Throws an error for a key set that is no JSON. */
export function routeOf(form: RouteForm, secret: string): RouteRequest {
  return {
    ...(form.host.trim() ? { host: form.host.trim() } : {}),
    path: form.path.trim(),
    ...(form.strip ? { strip: true } : {}),
    ...(form.methods.length ? { methods: METHODS.filter((each) => form.methods.includes(each)) } : {}),
    targets: form.targets.filter(({ function: name }) => name).map(({ function: name, weight }) => (weight === 1 ? { function: name } : { function: name, weight })),
    ...(form.auth ? { auth: authOf(form, secret) } : {}),
    ...(form.cors ? { cors: said({ origins: split(form.origins), methods: split(form.cors_methods), headers: split(form.cors_headers), expose: split(form.expose), credentials: form.credentials, max_age: form.max_age.trim() }) as unknown as NonNullable<RouteRequest["cors"]> } : {}),
    ...(form.calls.trim() ? { rate: { calls: Number(form.calls), ...said({ window: form.rate_window.trim() }), by: form.rate_by } } : {}),
    ...(form.max_body.trim() ? { max_body: form.max_body.trim() } : {}),
  };
}

function authOf(form: RouteForm, secret: string): Auth {
  const header = said({ header: form.header.trim() });
  switch (form.auth) {
    case "jwt": {
      const keys = form.jwks.trim() ? { jwks: keySet(form.jwks) } : { secret };
      const more = said({ algorithms: split(form.algorithms), leeway: form.leeway.trim() });
      return { kind: "jwt", issuer: form.issuer.trim(), audience: split(form.audience), ...keys, ...more };
    }
    case "hmac":
      return { kind: "hmac", secret, scheme: form.scheme as "github", ...header, ...said({ window: form.window.trim(), max_body: form.signed_body.trim() }) };
    case "basic":
      return { kind: "basic", secret };
    default:
      return { kind: "key", secret, ...header };
  }
}

function keySet(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new Error(`The key set is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const split = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

/** What is said at all. */
function said(all: Record<string, string | boolean | string[]>): Record<string, string | boolean | string[]> {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "" && value !== false && !(Array.isArray(value) && value.length === 0)));
}

/** Where a route leads from, in a few words. */
export function placeOf({ methods = [], host = "", path = "/*" }: Pick<RouteRequest, "methods" | "host" | "path">): string {
  return `${methods.length ? `${methods.join(", ")} ` : ""}${host}${path}`;
}
