// A deployment as a form has it, and the deployment that a form asks for. What the form does not know stays as it is.
import { type DeployRequest, FUNCTION_DEFAULTS, type FunctionSpec } from "../api/schema";
import type { Pair } from "./asked";

const PREFIX = "com.openfaas.scale.";

export const SCALING: readonly { label: string; title: string; placeholder: string; choices?: readonly (readonly [string, string])[] }[] = [
  { label: "min", title: "At least", placeholder: "1" },
  { label: "max", title: "At most", placeholder: "20" },
  { label: "type", title: "By", placeholder: "", choices: [["", "default"], ["capacity", "calls in flight"], ["rps", "calls a second"], ["cpu", "CPU"]] },
  { label: "target", title: "One replica carries", placeholder: "10" },
  { label: "target-proportion", title: "Aimed at", placeholder: "0.90" },
  { label: "zero", title: "To zero when idle", placeholder: "", choices: [["", "default"], ["true", "yes"], ["false", "no"]] },
  { label: "zero-duration", title: "Idle for", placeholder: "15m" },
  { label: "down.window", title: "Fewer after", placeholder: "1m" },
];

export interface Form {
  env: Pair[];
  labels: Pair[];
  annotations: Pair[];
  secrets: string[];
  memory: string;
  cpu: string;
  timeout: string;
  max_inflight: string;
  max_body: string;
  max_log_rate: string;
  scaling: Record<string, string>;
  network: NonNullable<FunctionSpec["network"]>;
  allow: string;
  handler: string;
  process: string;
  read_only: boolean;
}

export function formOf(given: FunctionSpec): Form {
  const spec = { ...FUNCTION_DEFAULTS, ...given };
  const pairs = (texts: Record<string, string> | undefined): Pair[] => Object.entries(texts ?? {}).map(([name, value]) => ({ name, value }));
  const labels = pairs(spec.labels);
  const known = new Set(SCALING.map(({ label }) => PREFIX + label));
  return {
    env: pairs(spec.env),
    labels: labels.filter(({ name }) => !known.has(name)),
    annotations: pairs(spec.annotations),
    secrets: [...(spec.secrets ?? [])],
    memory: spec.limits?.memory ?? "",
    cpu: spec.limits?.cpu ?? "",
    timeout: spec.timeout ?? "",
    max_inflight: spec.max_inflight ? String(spec.max_inflight) : "",
    max_body: spec.max_body ?? "",
    max_log_rate: spec.max_log_rate ?? "",
    scaling: Object.fromEntries(SCALING.map(({ label }) => [label, spec.labels?.[PREFIX + label] ?? ""])),
    network: spec.network ?? "proxy",
    allow: (spec.allow ?? []).join(", "),
    handler: spec.handler ?? "",
    process: spec.process ?? "",
    read_only: spec.read_only_root_filesystem ?? false,
  };
}

/** The deployment that the form asks for. */
export function specOf(spec: FunctionSpec, form: Form): DeployRequest {
  const texts = (pairs: Pair[]): Record<string, string> => Object.fromEntries(pairs.filter(({ name }) => name.trim()).map(({ name, value }) => [name.trim(), value]));
  const scaling = Object.entries(form.scaling).filter(([, value]) => value.trim()).map(([label, value]): [string, string] => [PREFIX + label, value.trim()]);
  const { memory, cpu } = form;
  return {
    ...spec,
    env: texts(form.env),
    labels: { ...texts(form.labels), ...Object.fromEntries(scaling) },
    annotations: texts(form.annotations),
    secrets: form.secrets,
    limits: memory.trim() || cpu.trim() ? { memory: memory.trim(), cpu: cpu.trim() } : null,
    timeout: form.timeout.trim(),
    max_inflight: Number(form.max_inflight.trim() || 0),
    max_body: form.max_body.trim(),
    max_log_rate: form.max_log_rate.trim(),
    network: form.network,
    allow: form.allow.split(/[\s,]+/).filter(Boolean),
    handler: form.handler.trim() || FUNCTION_DEFAULTS.handler,
    process: form.process,
    read_only_root_filesystem: form.read_only,
  };
}

/** The names of the settings in which the form differs from the deployment. */
export function changesIn(spec: FunctionSpec, form: Form): string[] {
  const [before, now] = [specOf(spec, formOf(spec)), specOf(spec, form)];
  return (Object.keys(now) as (keyof DeployRequest)[]).filter((name) => canonical(before[name]) !== canonical(now[name]));
}

const FIELDS = ["env", "labels", "annotations", "secrets", "limits", "timeout", "max_inflight", "max_body", "max_log_rate", "network", "allow", "handler", "process"];
const PAIRS = ["annotations", "labels", "env"] as const;
const QUOTED = ["memory", "cpu", "timeout", "max_body", "max_log_rate", "handler"] as const;

/**
 * Where on the form a refusal belongs: by how it begins, or by the value that it quotes; empty where it does not say. What
 * scaling is told by is named by its label.
 */
export function fieldOf(message: string, form: Form): string {
  const scaling = SCALING.find(({ label }) => message.startsWith(`${PREFIX}${label}:`) || message.startsWith(`${PREFIX}${label} `));
  if (scaling) return `scaling ${scaling.label}`;
  if (message.includes(` ${PREFIX}`)) return "scaling";
  const said = /^([\w.-]+):/.exec(message)?.[1] ?? "";
  const name = said.split(".")[0] ?? "";
  if (FIELDS.includes(name)) return name;
  const quoted = /'([^']+)'/.exec(message)?.[1];
  const paired = PAIRS.find((field) => form[field].some((pair) => pair.name.trim() === said || pair.name.trim() === quoted));
  return paired ?? QUOTED.find((field) => quoted !== undefined && form[field].trim() === quoted) ?? "";
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (each && typeof each === "object" && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort()) : each));
}
