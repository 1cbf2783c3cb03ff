// What functions may use in a day or a month, what they used, and what it cost.
import { read, send } from "./request";
import { type Key, pathOf } from "./functions";
import type { BudgetStatus, CostReport, FunctionStatus } from "./schema";

export const MEASURES = [
  { value: "calls", label: "calls" }, { value: "cpu_seconds", label: "seconds of processor time" },
  { value: "gib_seconds", label: "GiB of memory for a second" },
] as const;
export type Measure = BudgetStatus["measure"];
const PREFIX = "com.dayfly.budget.";

const of = (namespace: string): string => `/v1/namespaces/${encodeURIComponent(namespace)}`;

export const listBudgets = (namespace: string): Promise<BudgetStatus[]> => read(`${of(namespace)}/budgets`);

export const readCosts = (namespace: string, period: "day" | "month"): Promise<CostReport> =>
  read(`${of(namespace)}/costs?period=${period}`);

/** Set all of a function's allowances of one measure, as `10000/day`; none takes the measure's away. */
export const setBudget = (key: Key, measure: Measure, allowances: string[]): Promise<FunctionStatus> =>
  send("PUT", `${pathOf(key)}/budget`, { budget: (allowances.length ? allowances : ["none"]).map((each) => `${measure}=${each}`) });

/** The same as a namespace has it, among its annotations. */
export function withBudget(annotations: Record<string, string>, measure: Measure, allowances: string[]): Record<string, string> {
  const { [PREFIX + measure]: _, ...rest } = annotations;
  return allowances.length ? { ...rest, [PREFIX + measure]: allowances.join(",") } : rest;
}

/** As one allowance is written. */
export const written = ({ amount, period }: Pick<BudgetStatus, "amount" | "period">): string => `${amount}/${period}`;
