// The kinds of rules that alerts come of, and what a form asks for each. What is left empty is the kind's own.
import type { RuleRequest } from "../api/schema";

export type RuleKind = RuleRequest["kind"];
export interface Watched {
  label: string;
  /** What the threshold is, in words. */
  threshold: string;
  hint: string;
  /** Whether it counts over a window. */
  window: boolean;
  /** Whether it may be about one function, or about a namespace at all. */
  function: boolean;
}

const watched = (label: string, threshold: string, hint: string, window: boolean, of_functions = true): Watched => ({
  label, threshold, hint, window, function: of_functions,
});

export const WATCHED: Record<RuleKind, Watched> = {
  error_rate: watched("Error rate", "Part of calls that fail, above", "0.05", true),
  latency: watched("Latency", "Seconds within which calls are answered, above", "", true),
  no_traffic: watched("No traffic", "Calls, below", "1", true),
  cold_starts: watched("Cold starts", "Calls that waited for a start, above", "", true),
  replicas: watched("Replicas", "Replicas ready, below", "", false),
  restarts: watched("Restarts", "Replicas that ended by themselves, above", "2", true),
  queue_depth: watched("Queue", "Calls that wait, above", "", false),
  dead_letters: watched("Dead letters", "Calls that failed for good, above", "0", false),
  budget: watched("Budget", "Part of it that is used, above", "0.9", false),
  disk: watched("Disk", "Part of it that is used, above", "0.9", false, false),
  certificate: watched("Certificate", "Days until it ends, below", "14", false, false),
  promql: watched("PromQL", "Value of the expression, above", "any", false),
};
export const RULE_KINDS = Object.keys(WATCHED) as RuleKind[];
