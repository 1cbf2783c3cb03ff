// SQL for the editor, as SQLite has it: enough to be read with pleasure.
import { StreamLanguage } from "@codemirror/language";

const WORDS =
  /^(?:select|distinct|from|where|and|or|not|in|is|null|like|glob|between|group|by|order|asc|desc|having|limit|offset|join|left|inner|outer|cross|on|using|as|with|recursive|union|all|intersect|except|case|when|then|else|end|cast|over|partition|exists|collate|values)\b/i;

export const sql = StreamLanguage.define({
  name: "sql",
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^--.*/) || stream.match(/^\/\*[^]*?\*\//)) return "comment";
    if (stream.match(/^'(?:[^']|'')*'?/)) return "string";
    if (stream.match(/^(?:"(?:[^"]|"")*"?|\[[^\]]*\]?|`[^`]*`?)/)) return "propertyName";
    if (stream.match(/^\d+(?:\.\d+)?(?:e[+-]?\d+)?\b/i)) return "number";
    if (stream.match(WORDS)) return "keyword";
    if (stream.match(/^\w+(?=\s*\()/)) return "variableName.function";
    if (!stream.match(/^\w+/)) stream.next();
    return null;
  },
});
