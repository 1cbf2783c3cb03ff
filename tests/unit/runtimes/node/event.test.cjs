'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');

const { Event } = require(`${process.env.HOST}/event.cjs`);
const { Refused } = require(`${process.env.HOST}/failures.cjs`);

function event(type, body, { url = '/', raw = false } = {}) {
  const headers = { 'content-length': String(body.length) };
  if (type) headers['content-type'] = type;
  return new Event({ headers, method: 'POST', url }, Buffer.from(body), raw);
}

const BODIES = [
  ['application/json', '{"a":[1]}', { a: [1] }],
  ['Application/JSON; charset=utf-8', '1', 1],
  ['application/cloudevents+json', '{"id":"1"}', { id: '1' }],
  ['application/json', '', {}],
  ['application/x-www-form-urlencoded', 'a=1&b[]=2', { a: '1', b: ['2'] }],
  ['text/html', '<p>', '<p>'],
  ['', 'plain', 'plain'],
  ['', '', ''],
  ['image/png', 'bytes', Buffer.from('bytes')],
];

for (const [type, body, meant] of BODIES) {
  test(`a body of ${type || 'no type'} (${body || 'empty'})`, () => assert.deepEqual(event(type, body).body, meant));
}

test('a request without a body has an empty object', () => {
  assert.deepEqual(new Event({ headers: {}, method: 'GET', url: '/' }, Buffer.alloc(0), false).body, {});
});

test('a function can ask for the bytes', () => {
  assert.deepEqual(event('application/json', '{', { raw: true }).body, Buffer.from('{'));
  const understood = event('application/json', '{"a":1}');
  assert.deepEqual([understood.rawBody.toString(), understood.text, understood.json()], ['{"a":1}', '{"a":1}', { a: 1 }]);
});

test('a body that is no JSON, against its type, is the caller to mend', () => {
  const refused = (error) => error instanceof Refused && error.status === 400 && error.code === 'invalid_body';
  assert.throws(() => event('application/json', '{"a":'), refused);
});

test('path and query are as they were sent', () => {
  const made = event('', '', { url: '/a%20b/c?x=1&y[z]=2?' });
  assert.deepEqual([made.path, made.query, made.method], ['/a%20b/c', { x: '1', y: { z: '2?' } }, 'POST']);
  assert.deepEqual(event('', '', { url: '?x=1' }).path, '/');
  assert.deepEqual(Object.keys(made), ['headers', 'body', 'method', 'query', 'path']);
});
