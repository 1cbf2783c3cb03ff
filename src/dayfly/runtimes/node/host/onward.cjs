'use strict';
// Calls that a function makes of other functions say how deep they are, without its author's doing.
//
// `fetch`, `http` and `https` do, and what is built on them. The header is added where a path begins as functions' do,
// or begins a flow or posts events, and nowhere else, so that no stranger is told. Calls by a route of one's own have to pass on the header that came.

const http = require('node:http');
const https = require('node:https');
const { channel } = require('node:diagnostics_channel');
const { syncBuiltinESMExports } = require('node:module');

const NAME = 'x-dayfly-depth';
const FUNCTIONS = '(async-)?function/';
const FLOWS = 'v1/namespaces/[^/]+/(events|flows/[^/]+/runs|flow-runs/[^/]+/rerun)([?]|$)';
const ONWARD = new RegExp(`^(https?://[^/]*)?/(${FUNCTIONS}|${FLOWS})`, 'i');

/** Have calls say how deep they are from now on; `current` tells the call that is at hand. */
function install(current) {
  const depthFor = (path) => (ONWARD.test(path) && current.getStore()?.request.headers[NAME]) || '';
  for (const module of [http, https]) {
    const original = module.request;
    module.request = function request(...parameters) {
      const made = original.apply(this, parameters);
      const depth = depthFor(made.path);
      if (depth && !made.headersSent && !made.hasHeader(NAME)) made.setHeader(NAME, depth);
      return made;
    };
    module.get = function get(...parameters) {
      const made = module.request(...parameters);
      made.end();
      return made;
    };
  }
  syncBuiltinESMExports();
  channel('undici:request:create').subscribe(({ request }) => {
    const depth = depthFor(request.path);
    if (depth) request.addHeader(NAME, depth);
  });
}

module.exports = { install };
