"use strict";

// Run with `node --test`, in this folder.

const assert = require("node:assert");
const test = require("node:test");
const handle = require("./handler");

test("it greets by name", async () => {
  assert.strictEqual(await handle({ body: "Dayfly\n" }, {}), "Hello, Dayfly!\n");
});

test("it greets whoever gives no name", async () => {
  assert.strictEqual(await handle({ body: "" }, {}), "Hello, stranger!\n");
});
