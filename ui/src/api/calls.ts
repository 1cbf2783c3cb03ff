// Calls of functions. What a function answers comes as data: its status, headers and type are inside the body of an
// answer that is none of them, so that no browser ever takes it for a page of ours.
import { type Key, pathOf } from "./functions";
import { request } from "./request";
import type { DirectAnswer, DirectCall } from "./schema";

const TYPE = "application/vnd.dayfly.call";
const NEWLINE = 10;

/** An answer and the bytes that followed it. */
export interface Answer extends DirectAnswer {
  body: Uint8Array<ArrayBuffer>;
}

export async function callFunction(key: Key, call: DirectCall, body: Blob, signal: AbortSignal): Promise<Answer> {
  const whole = new Blob([JSON.stringify(call), "\n", body]);
  const answer = await request(`${pathOf(key)}/invoke`, { method: "POST", body: whole, type: TYPE, signal });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const end = bytes.indexOf(NEWLINE);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as DirectAnswer;
  return { ...head, body: bytes.slice(end + 1) };
}

export function headerOf(answer: DirectAnswer, name: string): string {
  return answer.headers.find(([each]) => each === name)?.[1] ?? "";
}
