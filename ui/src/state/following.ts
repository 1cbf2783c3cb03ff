// A log that is followed for as long as somebody looks: a connection that breaks is made again, and nothing is lost of
// what was printed meanwhile and still has room on the page.
import { Refusal, told } from "../api/request";
import { type Told, repeatsOf } from "./repeats";

const AGAIN_MS = 2000;

/** Hands over the newest `tail` lines and those to come, until they or the signal end; none at first, once it is answered. */
export type Follow<T> = (tail: number, take: (lines: T[]) => void, signal: AbortSignal) => Promise<void>;

interface Ways<T> {
  follow: Follow<T>;
  /** How many lines it begins with. */
  first: number;
  /** How many there is room for. */
  most: number;
  /** The lines that are here. */
  seen: () => T[];
  /** Given lines that were not here yet. */
  take: (lines: T[]) => void;
  /** Told why nothing comes, and with nothing that it does again. */
  tell: (trouble: string) => void;
}

/**
 * Follow the log until the signal ends it, it is refused, or there is no more of it: a platform that stops ends it as
 * well, so it has ended when, asked for once more, it ends again with nothing new.
 */
export async function keepFollowing<T extends Told>({ follow, first, most, seen, take, tell }: Ways<T>, signal: AbortSignal): Promise<void> {
  let tail = first;
  let hasEnded = false;
  while (!signal.aborted) {
    const fresh = repeatsOf(seen(), tail);
    let came = false;
    try {
      await follow(
        tail,
        (lines) => {
          tell("");
          const more = fresh(lines);
          came ||= more.length > 0;
          if (more.length > 0) take(more);
        },
        signal,
      );
      if (hasEnded && !came) return;
      hasEnded = true;
    } catch (error) {
      if (signal.aborted) return;
      tell(told(error));
      if (error instanceof Refusal && error.status >= 400 && error.status < 500) return;
      hasEnded = false;
    }
    tail = most;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}
