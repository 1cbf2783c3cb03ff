'use strict';
// Finding the author's handler.
//
// `handler` in a deployment is MODULE or MODULE:ATTRIBUTE. MODULE is a file of the function's folder, dots standing for
// slashes: MODULE.js, .mjs or .cjs, or the folder MODULE with an index. Where nothing was named and there is no
// `handler.js`, the `main` of package.json is taken, then `index.js`. A CommonJS module's `module.exports`, or an ES
// module's default export, is the handler; or its `handler`, `handle` or `main`.

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const ENDINGS = ['.js', '.mjs', '.cjs'];
const NAMES = ['handler', 'handle', 'main'];
const DEFAULT = 'handler';

/** The module can be loaded, but what it holds cannot serve calls; the text says what to change. */
class Unfit extends Error {}

/** Load the module and return its handler. Throws Unfit, and whatever the module throws. */
async function load(folder, wanted) {
  const [name, attribute] = wanted.split(':');
  const file = find(folder, name);
  const module = await import(pathToFileURL(file).href);
  return pick(module, attribute, path.relative(folder, file));
}

function find(folder, name) {
  const file = existing(path.join(folder, ...name.split('.')));
  if (file) return file;
  if (name !== DEFAULT) throw new Unfit(`there is no module ${JSON.stringify(name)} in the function's folder`);
  const main = mainOf(folder);
  const found = (main && (isFile(main) ? main : existing(main))) || existing(path.join(folder, 'index'));
  if (found) return found;
  throw new Unfit("there is no handler.js in the function's folder, no main in its package.json that exists, and no index.js");
}

function existing(stem) {
  const candidates = [...ENDINGS.map((each) => stem + each), ...ENDINGS.map((each) => path.join(stem, `index${each}`))];
  return candidates.find(isFile);
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

function mainOf(folder) {
  const file = path.join(folder, 'package.json');
  if (!isFile(file)) return '';
  let main;
  try {
    ({ main } = JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch (error) {
    throw new Unfit(`package.json cannot be read: ${error.message}`);
  }
  const found = typeof main === 'string' && main ? path.join(folder, main) : '';
  return found.startsWith(folder + path.sep) ? found : '';
}

function pick(module, attribute, file) {
  const fallback = module.default;
  if (attribute) {
    const way = attribute.split('.');
    const found = follow(module, way) ?? follow(fallback, way);
    if (typeof found === 'function') return found;
    throw new Unfit(`${file} exports no function ${JSON.stringify(attribute)}`);
  }
  // A module that a compiler made of an ES module has its default export one step further in.
  const candidates = [fallback, fallback?.default, ...NAMES.map((each) => module[each] ?? fallback?.[each])];
  const found = candidates.find((each) => typeof each === 'function');
  if (found) return found;
  throw new Unfit(
    `${file} exports no function; write \`module.exports = async (event, context) => …\`, or name the handler as` +
      ' MODULE:ATTRIBUTE in the deployment',
  );
}

function follow(value, way) {
  return way.reduce((found, word) => found?.[word], value);
}

module.exports = { Unfit, load };
