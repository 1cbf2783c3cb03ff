'use strict';
// The end of a replica in which a call goes on after its timeout and cannot be ended otherwise; see
// runtimes/python/deadline.py.
//
// JavaScript that runs cannot be stopped from outside. The caller has had its 504 by then, and the handler's
// `context.signal` has fired. So, while calls run, a beat looks for those whose caller has gone and whose time is over.
// The rest of the calls get a moment to finish, then the process beside this one is told to end both. Each beat also
// tells it that the loop turns: should the beats stop, because a call holds the loop, it ends both by itself.

const output = require('./output.cjs');

const BEAT_MS = 500;
const GRACE_MS = 500;
const LAST_MS = 500;
const LOOK_MS = 20;

class Watch {
  /** `tell` takes `runs` (within so long another word comes), `rests`, and `overdue`. */
  constructor(timeoutMs, tell) {
    this.awake = false;
    this.timeoutMs = timeoutMs;
    this.tell = tell;
    this.calls = new Set();
  }

  /** Begin to watch; called before a call while `awake` is false. */
  wake(calls) {
    this.awake = true;
    this.calls = calls;
    this.tell('runs');
    setTimeout(() => this.beat(), BEAT_MS);
  }

  beat() {
    const now = performance.now();
    const overdue = [...this.calls].filter((call) => call.abandoned && now > call.began + this.timeoutMs + GRACE_MS);
    if (overdue.length) {
      this.giveUp(now - Math.min(...overdue.map((call) => call.began)), now + LAST_MS);
    } else if (this.calls.size) {
      this.tell('runs');
      setTimeout(() => this.beat(), BEAT_MS);
    } else {
      this.awake = false;
      this.tell('rests');
    }
  }

  giveUp(ranMs, until) {
    if ([...this.calls].some((call) => !call.abandoned) && performance.now() < until) {
      setTimeout(() => this.giveUp(ranMs, until), LOOK_MS);
      return;
    }
    const [ran, most] = [(ranMs / 1000).toFixed(1), this.timeoutMs / 1000];
    output.line('p', '', `limit: a call ran for ${ran} s, its timeout is ${most} s; its replica is ended`);
    this.tell('overdue');
  }
}

module.exports = { Watch };
