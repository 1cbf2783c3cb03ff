'use strict';
const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const http = require('node:http');
const { after, before, test } = require('node:test');

const { install } = require(`${process.env.HOST}/onward.cjs`);

const current = new AsyncLocalStorage();
let server, base;

before(async () => {
  server = http.createServer((request, response) => response.end(String(request.headers['x-dayfly-depth'])));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${server.address().port}`;
  install(current);
});

after(() => {
  server.closeAllConnections();
  server.close();
});

function at(depth, then) {
  const headers = depth === undefined ? {} : { 'x-dayfly-depth': depth };
  return current.run({ request: { headers } }, then);
}

function got(call, ...parameters) {
  return new Promise((resolve, reject) => {
    call(...parameters, (response) => {
      let text = '';
      response.on('data', (piece) => (text += piece)).on('end', () => resolve(text));
    }).on('error', reject).end();
  });
}

for (const [name, ask] of [
  ['fetch', async (path, headers) => (await fetch(base + path, { headers })).text()],
  ['http.get', (path, headers) => got(http.get, base + path, { headers })],
  ['http.request', (path, headers) => got(http.request, base + path, { headers })],
]) {
  test(`${name} says how deep it is where functions are called`, async () => {
    assert.equal(await at('4', () => ask('/function/f')), '4');
    assert.equal(await at('4', () => ask('/async-function/f/x?y=1')), '4');
    assert.equal(await at('4', async () => (await null, ask('/function/f'))), '4');
    assert.equal(await at('4', () => ask('/other')), 'undefined');
    assert.equal(await at('4', () => ask('/x/function/f')), 'undefined');
    assert.equal(await at(undefined, () => ask('/function/f')), 'undefined');
    assert.equal(await ask('/function/f'), 'undefined');
  });
}

test('named imports do, too', async () => {
  const { get } = await import('node:http');
  assert.equal(await at('4', () => got(get, `${base}/function/f`)), '4');
});

test('what an author says stays', async () => {
  assert.equal(await at('4', () => got(http.get, `${base}/function/f`, { headers: { 'X-Dayfly-Depth': '7' } })), '7');
});
