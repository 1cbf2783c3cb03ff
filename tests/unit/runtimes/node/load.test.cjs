'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const { Unfit, load } = require(`${process.env.HOST}/load.cjs`);

function folder(files) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'dayfly-load-'));
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(made, name)), { recursive: true });
    fs.writeFileSync(path.join(made, name), content);
  }
  return made;
}

async function loaded(files, handler = 'handler') {
  const made = folder(files);
  try {
    return (await load(made, handler))();
  } finally {
    fs.rmSync(made, { recursive: true });
  }
}

const says = (word) => `module.exports = () => '${word}'`;

const FOUND = [
  ['handler.js', { 'handler.js': says('a') }, 'handler', 'a'],
  ['an ES module', { 'handler.mjs': "const a = await 'a'; export default () => a" }, 'handler', 'a'],
  ['an ES module by package.json', { 'handler.js': "export default () => 'a'", 'package.json': '{"type":"module"}' }, 'handler', 'a'],
  ['handler.cjs beside other files', { 'handler.cjs': says('a'), 'index.js': says('b') }, 'handler', 'a'],
  ['handler.js before the main of package.json', { 'handler.js': says('a'), 'b.js': says('b'), 'package.json': '{"main":"b.js"}' }, 'handler', 'a'],
  ['the main of package.json', { 'lib/b.js': says('b'), 'package.json': '{"main":"lib/b"}', 'index.js': says('c') }, 'handler', 'b'],
  ['index.js where main is not there', { 'index.js': says('c'), 'package.json': '{"main":"gone.js"}' }, 'handler', 'c'],
  ['a module that was named', { 'lib/api.js': says('d') }, 'lib.api', 'd'],
  ['a folder that was named', { 'api/index.js': says('d') }, 'api', 'd'],
  ['an attribute', { 'handler.js': "exports.a = { b: () => 'e' }" }, 'handler:a.b', 'e'],
  ['an attribute of an ES module', { 'handler.mjs': "export const a = () => 'e'" }, 'handler:a', 'e'],
  ['exports.handler', { 'handler.js': "exports.other = () => 'x'; exports.handler = () => 'f'" }, 'handler', 'f'],
  ['exports.handle, made at run time', { 'handler.js': "Object.assign(exports, { handle: () => 'f' })" }, 'handler', 'f'],
  ['what a compiler made of an ES module', { 'handler.js': "exports.__esModule = true; exports.default = () => 'g'" }, 'handler', 'g'],
];

for (const [name, files, handler, meant] of FOUND) {
  test(`${name} is found`, async () => assert.equal(await loaded(files, handler), meant));
}

const UNFIT = [
  [{ 'other.js': says('a') }, 'handler', /no handler\.js/],
  [{ 'handler.js': says('a') }, 'api', /no module "api"/],
  [{ 'handler.js': 'exports.a = 1' }, 'handler', /exports no function; write/],
  [{ 'handler.js': says('a') }, 'handler:b.c', /exports no function "b\.c"/],
  [{ 'package.json': '{' }, 'handler', /package\.json cannot be read/],
  [{ 'package.json': '{"main":"../x.js"}' }, 'handler', /no handler\.js/],
];

for (const [files, handler, why] of UNFIT) {
  test(`${JSON.stringify(files)} is refused for ${handler}`, async () => {
    await assert.rejects(loaded(files, handler), (error) => error instanceof Unfit && why.test(error.message));
  });
}

test('what the module throws is told as it is', async () => {
  await assert.rejects(loaded({ 'handler.js': "require('no-such-package')" }), { code: 'MODULE_NOT_FOUND' });
  await assert.rejects(loaded({ 'handler.js': 'module.exports = (' }), { name: 'SyntaxError' });
});
