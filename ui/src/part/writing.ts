// The editor, on CodeMirror: a script of its own. It takes its colours from the page's, which reach into a shadow root.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { json } from "@codemirror/lang-json";
import { python } from "@codemirror/lang-python";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { unifiedMergeView } from "@codemirror/merge";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { sql } from "./sql";

export interface Wishes {
  path: string;
  label: string;
  readonly: boolean;
  before: string | undefined;
  save: () => void;
  changed: (text: string) => void;
}

export interface Writing {
  /** Show this text, where it is not what is shown. */
  show(text: string): void;
  end(): void;
}

const LANGUAGES: Record<string, () => Extension> = {
  sql: () => sql, py: python, pyi: python, js: javascript, mjs: javascript, cjs: javascript, json, yaml, yml: yaml,
  ts: () => javascript({ typescript: true }), jsx: () => javascript({ jsx: true }), tsx: () => javascript({ jsx: true, typescript: true }),
};
const COLOURS = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: [tags.comment, tags.meta], color: "var(--dim)", fontStyle: "italic" },
  { tag: [tags.definition(tags.variableName), tags.function(tags.variableName), tags.propertyName, tags.className], color: "var(--code-name)" },
]);
const LOOK = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--card)", height: "100%", fontSize: "0.87rem" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-gutters": { backgroundColor: "var(--sunk)", color: "var(--dim)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--code-line)" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--code-selected)" },
  ".cm-panels": { backgroundColor: "var(--sunk)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-textfield, .cm-button": { font: "inherit", color: "var(--ink)", background: "var(--card)", border: "1px solid var(--edge)", borderRadius: "0.3rem" },
  ".cm-searchMatch": { backgroundColor: "var(--wait-soft)", outline: "1px solid var(--wait)" },
  ".cm-changedLine, .cm-inlineChangedLine": { backgroundColor: "var(--soft) !important" },
  ".cm-changedText": { background: "var(--code-added) !important", boxShadow: "inset 0 -2px var(--accent)" },
  ".cm-deletedChunk": { backgroundColor: "var(--bad-soft) !important", paddingLeft: "6px" },
  ".cm-deletedChunk .cm-deletedText": { background: "var(--code-removed) !important", boxShadow: "inset 0 -2px var(--bad)" },
  ".cm-collapsedLines": { background: "var(--sunk) !important", color: "var(--dim) !important", "&:before, &:after": { content: '"⋯" !important' } },
});

/** Put an editor into the element's shadow root. */
export function write(parent: HTMLElement, text: string, wishes: Wishes): Writing {
  const root = parent.shadowRoot ?? parent.attachShadow({ mode: "open" });
  const language = LANGUAGES[wishes.path.replace(/^.*\./, "").toLowerCase()];
  const extensions: Extension[] = [
    lineNumbers(), foldGutter(), drawSelection(), bracketMatching(), search({ top: true }), highlightSelectionMatches(), LOOK, syntaxHighlighting(COLOURS),
    EditorView.contentAttributes.of({ "aria-label": wishes.label, tabindex: "0", spellcheck: "false", autocapitalize: "off" }),
    wishes.readonly
      ? [EditorState.readOnly.of(true), EditorView.contentAttributes.of({ "aria-readonly": "true" })]
      : [history(), indentOnInput(), indentUnit.of("    "), highlightActiveLine(), highlightActiveLineGutter()],
    keymap.of([
      { key: "Mod-s", run: () => (wishes.save(), true) },
      ...searchKeymap, ...defaultKeymap, ...foldKeymap, ...(wishes.readonly ? [] : [...historyKeymap, indentWithTab]),
    ]),
    EditorView.domEventHandlers({ beforeinput: typedOver }),
    EditorView.updateListener.of((update) => update.docChanged && wishes.changed(update.state.doc.toString())),
  ];
  if (language) extensions.push(language());
  if (wishes.before !== undefined) {
    extensions.push(unifiedMergeView({ original: wishes.before, mergeControls: false, collapseUnchanged: { margin: 3, minSize: 6 } }));
  } else extensions.push(EditorView.lineWrapping);
  const view = new EditorView({ doc: text, extensions, parent: root, root });
  return {
    show(now) {
      if (view.state.doc.toString() !== now) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: now } });
    },
    end: () => view.destroy(),
  };
}

/**
 * Text over a selection, or several lines at once, are put in by the editor and not by the browser: the browser keeps
 * the look of what was there in style attributes, which the page's policy refuses with a complaint.
 */
function typedOver(event: InputEvent, view: EditorView): boolean {
  const { state } = view;
  if (event.inputType !== "insertText" || !event.data || event.isComposing || state.readOnly) return false;
  if (state.selection.main.empty && !event.data.includes("\n")) return false;
  event.preventDefault();
  view.dispatch({ ...state.replaceSelection(event.data), userEvent: "input.type", scrollIntoView: true });
  return true;
}
