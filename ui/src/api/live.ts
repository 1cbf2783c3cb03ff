// The list of functions as it changes: server-sent events, read from a plain request, since EventSource sends no header.
import { request } from "./request";
import type { GlanceNews } from "./schema";

const DATA = "data: ";

/** Hand over the whole list and then what changes in it, until the signal or the platform ends it. */
export async function followFunctions(namespace: string, take: (news: GlanceNews) => void, signal: AbortSignal): Promise<void> {
  const asked = namespace ? `?${new URLSearchParams({ namespace })}` : "";
  const answer = await request(`/v1/functions/live${asked}`, { signal });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (reader) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = event.split("\n").find((line) => line.startsWith(DATA));
      if (data) take(JSON.parse(data.slice(DATA.length)) as GlanceNews);
    }
  }
}
