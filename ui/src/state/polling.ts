// Polling that is polite: one request at a time, none while nobody looks, and fewer the longer the platform is away or
// takes to answer.
import { untrack } from "svelte";

const SLOWEST_MS = 30_000;
const SHARE = 10;

/**
 * Do the task now and again every `period_ms`, or every ten times of what it takes; what is returned ends that. A task
 * that rejects slows it down.
 */
export function whileVisible(task: () => Promise<void>, period_ms: number): () => void {
  let timer = 0;
  let wait_ms = period_ms;
  let busy = false;
  let ended = false;

  async function turn(): Promise<void> {
    clearTimeout(timer);
    if (busy || ended || document.hidden) return;
    busy = true;
    const began = performance.now();
    try {
      await task();
      wait_ms = Math.min(Math.max(period_ms, SHARE * (performance.now() - began)), SLOWEST_MS);
    } catch {
      wait_ms = Math.min(wait_ms * 2, SLOWEST_MS);
    } finally {
      busy = false;
    }
    if (!ended) timer = window.setTimeout(turn, wait_ms);
  }

  document.addEventListener("visibilitychange", turn);
  untrack(() => void turn());
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", turn);
  };
}
