// The last calls made from this page, a function at a time, for as long as the page is open.
import type { Answer } from "../api/calls";
import { type Key, nameOf } from "../api/functions";
import type { Asked } from "./asked";

const MOST = 20;
const MOST_BYTES = 64 * 1024 * 1024;

export interface Try {
  number: number;
  at: Date;
  asked: Asked;
  answer: Answer;
}

class Tries {
  #of = $state.raw<Record<string, Try[]>>({});
  #number = 0;

  of(key: Key): Try[] {
    return this.#of[nameOf(key)] ?? [];
  }

  add(key: Key, asked: Asked, answer: Answer): Try {
    const one = { number: ++this.#number, at: new Date(), asked, answer };
    this.#of = { ...this.#of, [nameOf(key)]: within([one, ...this.of(key)]) };
    return one;
  }

  forget(): void {
    this.#of = {};
  }
}

/** The newest of them that the tab has room for, and the newest in any case. */
function within(all: Try[]): Try[] {
  let bytes = 0;
  return all.slice(0, MOST).filter((one, place) => (bytes += one.answer.body.length) <= MOST_BYTES || place === 0);
}

export const tries = new Tries();
