// How busy a machine was between two looks at it: its counters only ever grow, until it starts anew.
import type { MachineUsage } from "../api/schema";

export interface Load {
  /** The part of all processors' time that went into work, from 0 to 1. */
  cpu: number;
  received_s: number;
  sent_s: number;
}

/** Return what happened between both, in bytes a second; null where they say nothing of each other. */
export function loadBetween(before: MachineUsage | null, now: MachineUsage): Load | null {
  if (!before || before.boot !== now.boot || now.at_unix_ms <= before.at_unix_ms) return null;
  const seconds = (now.at_unix_ms - before.at_unix_ms) / 1000;
  const spent = Object.entries(now.cpu.seconds).map(([mode, all]) => [mode, all - (before.cpu.seconds[mode] ?? 0)] as const);
  const whole = spent.reduce((sum, [, each]) => sum + each, 0);
  const idle = spent.filter(([mode]) => mode === "idle" || mode === "iowait").reduce((sum, [, each]) => sum + each, 0);
  return {
    cpu: whole > 0 ? Math.min(1, Math.max(0, 1 - idle / whole)) : 0,
    received_s: Math.max(0, now.network.received - before.network.received) / seconds,
    sent_s: Math.max(0, now.network.sent - before.network.sent) / seconds,
  };
}
