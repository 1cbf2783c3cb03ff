// Requests to the platform, on this page's own origin and nowhere else.
import type { Problem } from "./schema";
import { session } from "./session.svelte";

/** What the platform refused or could not do, in its own words. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint = "",
    readonly code = "",
  ) {
    super(message);
  }

  /** What is refused, where the sentence says its name: `source.window`; empty where it does not. */
  get field(): string {
    return /^([a-z_]+(?:\.[a-z_]+)*): /.exec(this.message)?.[1] ?? /at `\$\.([a-z_.]+)`/.exec(this.message)?.[1] ?? "";
  }
}

export interface Options {
  method?: string;
  body?: BodyInit;
  type?: string;
  signal?: AbortSignal;
  /** A credential to try, in place of the session's. */
  authorization?: string;
}

export async function request(path: string, options: Options = {}): Promise<Response> {
  const headers = new Headers({ Authorization: options.authorization ?? session.authorization });
  if (options.type) headers.set("Content-Type", options.type);
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: options.method ?? "GET",
      headers,
      cache: "no-store",
      redirect: "error",
      credentials: "omit",
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refusal(0, "The platform does not answer.", "Is it running, and is this machine connected to it?");
  }
  if (answer.ok) return answer;
  // Under Prometheus' addresses what is wrong is told in Prometheus' form.
  const problem = (await answer.json().catch(() => ({}))) as Partial<Problem> & { error?: string };
  if (answer.status === 401 && options.authorization === undefined) {
    session.end("Your credential is not accepted any more. Please sign in again.");
  }
  throw new Refusal(
    answer.status,
    sentence(problem.detail ?? problem.error ?? `The platform answered ${answer.status}`),
    problem.hint ? sentence(problem.hint.replace(/^[a-z]/, (letter) => letter.toUpperCase())) : "",
    problem.code,
  );
}

export async function read<T>(path: string, options: Options = {}): Promise<T> {
  return (await (await request(path, options)).json()) as T;
}

export async function send<T>(method: string, path: string, body: unknown): Promise<T> {
  return read<T>(path, { method, body: JSON.stringify(body), type: "application/json" });
}

/** What to tell somebody of any failure. */
export function told(error: unknown): string {
  if (error instanceof Refusal) return error.hint ? `${error.message} ${error.hint}` : error.message;
  return error instanceof Error ? sentence(error.message) : String(error);
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
