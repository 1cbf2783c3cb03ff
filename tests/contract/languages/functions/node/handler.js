"use strict";

module.exports = async (event, context) => {
  const body = event.rawBody;
  const end = body.indexOf("\n");
  const [command, argument] = body.subarray(0, end).toString().split(" ");
  const rest = body.subarray(end + 1);
  switch (command) {
    case "echo":
      return rest;
    case "tell":
      return `${event.method} ${event.path} ${new URLSearchParams(event.query)} ${event.headers["x-mark"] ?? ""}`;
    case "answer":
      return context.status(418).headers({ "X-Mark": "seen" }).succeed("short and stout");
    case "raise":
      throw new RangeError("told on purpose");
    case "log":
      console.log(`to stdout: ${rest}`);
      console.error(`to stderr: ${rest}`);
      return "";
    case "env":
      return process.env[argument] ?? "";
    case "sleep":
      await new Promise((done) => setTimeout(done, Number(argument) * 1000));
      return "awake";
  }
};
