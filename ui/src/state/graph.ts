// Where on a picture each step of a flow goes. Steps one after another stand below each other; what a step has inside
// is in a frame, side by side where it is done side by side. Pure: a flow and what is known of a run in, places out.
import type { FlowSpec, StepRecord } from "../api/schema";

export type Step = FlowSpec["steps"][number];

export interface Node {
  /** The place in a run, as records and reruns name it. */
  path: string;
  name: string;
  kind: string;
  /** What is known of it; undefined where the run has not come. */
  record: StepRecord | undefined;
  step: Step | undefined;
  x: number;
  y: number;
  width: number;
  height: number;
  /** Whether other steps are inside. */
  frame: boolean;
}

export interface Edge {
  from: [number, number];
  to: [number, number];
  /** Taken only when something fails. */
  spare: boolean;
}

export interface Label {
  x: number;
  y: number;
  text: string;
}

export interface Graph {
  width: number;
  height: number;
  nodes: Node[];
  edges: Edge[];
  labels: Label[];
}

/** A piece that can be put anywhere; `axis` is how far from its left its way in and out is. */
interface Block {
  width: number;
  height: number;
  axis: number;
  put: (x: number, y: number) => void;
}

interface Lane {
  label: string;
  block: Block;
}

const WIDTH = 176;
const HEIGHT = 54;
const GAP = 28;
const LANE_GAP = 18;
const PAD = 14;
const HEAD = 40;
const LABEL = 20;
const MOST_LANES = 6;
const LETTERS = 24;

export function graphOf(spec: FlowSpec, records: readonly StepRecord[]): Graph {
  const graph: Graph = { width: 0, height: 0, nodes: [], edges: [], labels: [] };
  const known = new Map(records.map((record) => [record.path, record]));
  const whole = sequence(spec.steps, "");
  whole.put(PAD, PAD);
  graph.width = whole.width + 2 * PAD;
  graph.height = whole.height + 2 * PAD;
  return graph;

  function sequence(steps: readonly Step[], prefix: string): Block {
    return below(steps.map((step) => caught(step, prefix + step.name)));
  }

  function below(blocks: Block[]): Block {
    const axis = Math.max(0, ...blocks.map((block) => block.axis));
    const right = Math.max(0, ...blocks.map((block) => block.width - block.axis));
    const height = blocks.reduce((sum, block) => sum + block.height, 0) + GAP * Math.max(0, blocks.length - 1);
    return {
      width: axis + right, height, axis,
      put(x, y) {
        blocks.forEach((block, number) => {
          block.put(x + axis - block.axis, y);
          y += block.height;
          if (number < blocks.length - 1) graph.edges.push({ from: [x + axis, y], to: [x + axis, y + GAP], spare: false });
          y += GAP;
        });
      },
    };
  }

  /** A step, with what is done when it fails on its right. */
  function caught(step: Step, path: string): Block {
    const block = one(step, path);
    if (!step.catch) return block;
    const spare = sequence(step.catch.steps, `${path}~catch.`);
    const left = block.width + 2 * LANE_GAP;
    return {
      width: left + spare.width, height: Math.max(block.height, spare.height + LABEL), axis: block.axis,
      put(x, y) {
        block.put(x, y);
        graph.labels.push({ x: x + left, y: y + LABEL - 7, text: "if it fails" });
        spare.put(x + left, y + LABEL);
        graph.edges.push({ from: [x + block.width, y + HEIGHT / 2], to: [x + left, y + LABEL + HEIGHT / 2], spare: true });
      },
    };
  }

  function one(step: Step, path: string): Block {
    const record = known.get(path);
    const inside = record && record.attempt > 1 ? `${path}~${record.attempt}` : path;
    const lanes = lanesOf(step, inside, record);
    const node = { path, name: step.name, kind: step.do, record, step };
    return lanes.length ? frame(node, lanes) : leaf(node);
  }

  function lanesOf(step: Step, inside: string, record: StepRecord | undefined): Lane[] {
    switch (step.do) {
      case "group":
        return [{ label: "", block: sequence(step.steps, `${inside}.`) }];
      case "choice":
        return [
          ...step.branches.map(({ when, steps }, number) => ({ label: `if ${when}`, block: sequence(steps, `${inside}.${number}.`) })),
          ...(step.otherwise?.length ? [{ label: "otherwise", block: sequence(step.otherwise, `${inside}.otherwise.`) }] : []),
        ];
      case "parallel":
        return Object.entries(step.branches).map(([label, steps]) => ({ label, block: sequence(steps, `${inside}.${label}.`) }));
      case "map":
        return itemsOf(step.steps, inside, record);
      case "code":
        return asked(inside);
      default:
        return [];
    }
  }

  /** A lane for each item, the first of those that are not done first; one for all while nothing is known. */
  function itemsOf(steps: Step[], inside: string, record: StepRecord | undefined): Lane[] {
    const items = Array.isArray(record?.input) ? record.input.length : 0;
    if (items === 0) return [{ label: "each item", block: sequence(steps, `${inside}.0.`) }];
    const last = steps.at(-1)?.name ?? "";
    const over = (item: number): boolean => known.get(`${inside}.${item}.${last}`)?.state === "done";
    const numbers = Array.from({ length: items }, (_, item) => item);
    const chosen = items > MOST_LANES ? [...numbers.filter((item) => !over(item)), ...numbers.filter(over)].slice(0, MOST_LANES) : numbers;
    const lanes = chosen.sort((a, b) => a - b).map((item) => ({ label: `item ${item + 1} of ${items}`, block: sequence(steps, `${inside}.${item}.`) }));
    return items > MOST_LANES ? [...lanes, { label: `${items - MOST_LANES} more`, block: below([]) }] : lanes;
  }

  /** What code asked for is known only once it did. */
  function asked(inside: string): Lane[] {
    const found = records.filter(({ path }) => path.startsWith(`${inside}.`) && !path.slice(inside.length + 1).includes("."));
    if (found.length === 0) return [];
    const leaves = found.map((record) => {
      const name = record.path.slice(inside.length + 1);
      return leaf({ path: record.path, name, kind: name.startsWith("turn-") ? "turn" : "step", record, step: undefined });
    });
    return [{ label: "", block: below(leaves) }];
  }

  function leaf(node: Pick<Node, "path" | "name" | "kind" | "record" | "step">): Block {
    return {
      width: WIDTH, height: HEIGHT, axis: WIDTH / 2,
      put: (x, y) => graph.nodes.push({ ...node, x, y, width: WIDTH, height: HEIGHT, frame: false }),
    };
  }

  function frame(node: Pick<Node, "path" | "name" | "kind" | "record" | "step">, lanes: Lane[]): Block {
    const labelled = lanes.some(({ label }) => label);
    const widths = lanes.map(({ block }) => Math.max(block.width, labelled ? 90 : 0));
    const width = Math.max(WIDTH, widths.reduce((sum, each) => sum + each, 0) + LANE_GAP * (lanes.length - 1) + 2 * PAD);
    const top = HEAD + (labelled ? LABEL : 0);
    const height = top + Math.max(...lanes.map(({ block }) => block.height)) + PAD;
    return {
      width, height, axis: width / 2,
      put(x, y) {
        graph.nodes.push({ ...node, x, y, width, height, frame: true });
        let left = x + PAD;
        lanes.forEach(({ label, block }, number) => {
          if (label) graph.labels.push({ x: left, y: y + HEAD + LABEL - 8, text: short(label, Math.max(14, Math.floor((widths[number] ?? 0) / 7))) });
          block.put(left, y + top);
          left += (widths[number] ?? 0) + LANE_GAP;
        });
      },
    };
  }
}

export function short(text: string, letters = LETTERS): string {
  return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
}
