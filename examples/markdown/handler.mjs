/** Markdown in, HTML out. `?inline` leaves out the paragraph around it. */
import { marked } from "marked";

export default async (event, context) => {
  const text = event.text.trim();
  if (!text) {
    return context.status(400).succeed("Send Markdown as the body.\n");
  }
  const render = "inline" in event.query ? marked.parseInline : marked.parse;
  return context.headers({ "Content-Type": "text/html; charset=utf-8" }).succeed(await render(text));
};
