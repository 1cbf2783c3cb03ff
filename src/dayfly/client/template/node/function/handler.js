"use strict";

/**
 * A function: this is called for every request.
 *
 * `event` has `body`, `headers`, `method`, `query` and `path`. What is returned becomes the answer: text or a Buffer as
 * they are, anything else as JSON; `context.status(404).headers({...}).succeed(body)` says everything. What is printed
 * goes to the log: `dayfly logs`.
 */
module.exports = async (event, context) => {
  const name = (typeof event.body === "string" && event.body.trim()) || "stranger";
  return `Hello, ${name}!\n`;
};
