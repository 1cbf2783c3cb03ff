// The drawing of a chart, on uPlot: a script of its own, fetched when the first chart is shown.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface DrawnLine {
  label: string;
  values: (number | null)[];
}

export interface Wishes {
  format: (value: number) => string;
  least: number;
  /** The axis goes by powers of two, as sizes are told. */
  bytes: boolean;
  height: number;
  /** Somebody dragged over the time between these, in Unix seconds. */
  zoom: (from_s: number, to_s: number) => void;
  /** The pointer is at this place of the times; null once it has left. */
  point: (place: number | null) => void;
}

export interface Drawing {
  show(times: number[], lines: DrawnLine[]): void;
  /** Put the cursor at one of the times. */
  mark(place: number): void;
  end(): void;
}

const POWERS = Array.from({ length: 60 }, (_, power) => 2 ** power);
const FONT = "12px system-ui, sans-serif";

/** Draw into an element, whose `.probe` children say in which colours: those of the lines, then axis and grid. */
export function draw(parent: HTMLElement, wishes: Wishes): Drawing {
  let plot: uPlot | null = null;
  let shape = "";
  const resized = new ResizeObserver(() => plot?.setSize({ width: parent.clientWidth, height: wishes.height }));
  resized.observe(parent);

  function made(data: uPlot.AlignedData, lines: DrawnLine[]): uPlot {
    const colours = [...parent.querySelectorAll(".probe")].map((probe) => getComputedStyle(probe).color);
    const [axis, grid] = colours.splice(-2);
    const axes = { stroke: axis ?? "gray", font: FONT, grid: { stroke: grid ?? "gray", width: 1 }, ticks: { show: false } };
    return new uPlot(
      {
        width: parent.clientWidth,
        height: wishes.height,
        legend: { show: false },
        cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(wishes.least, (high || 1) * 1.1)] } },
        axes: [
          { ...axes, space: 90, values: (_plot, ticks, _axis, _space, step_s) => ticks.map((tick, place) => timeOf(tick, step_s, ticks[place - 1])) },
          { ...axes, size: 64, ...(wishes.bytes ? { incrs: POWERS } : {}), values: (_plot, ticks) => ticks.map(wishes.format) },
        ],
        series: [
          {},
          ...lines.map(({ label }, number) => {
            const stroke = colours[number % colours.length] ?? "gray";
            return { label, stroke, width: 2, spanGaps: false, points: { show: false }, ...(lines.length === 1 ? { fill: faint(stroke) } : {}) };
          }),
        ],
        hooks: {
          setSelect: [
            (self) => {
              if (self.select.width < 5) return;
              const from_s = self.posToVal(self.select.left, "x");
              const to_s = self.posToVal(self.select.left + self.select.width, "x");
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              wishes.zoom(from_s, to_s);
            },
          ],
          setCursor: [(self) => wishes.point(self.cursor.left !== undefined && self.cursor.left >= 0 ? (self.cursor.idx ?? null) : null)],
        },
      },
      data,
      parent,
    );
  }

  return {
    show(times, lines) {
      const data: uPlot.AlignedData = [times, ...lines.map(({ values }) => values)];
      const now = JSON.stringify([lines.map(({ label }) => label), getComputedStyle(parent).color]);
      if (plot && now === shape) plot.setData(data);
      else {
        plot?.destroy();
        shape = now;
        plot = made(data, lines);
      }
    },
    mark(place) {
      const at = plot?.data[0][place];
      if (plot && at !== undefined) plot.setCursor({ left: plot.valToPos(at, "x"), top: 10 });
    },
    end() {
      resized.disconnect();
      plot?.destroy();
    },
  };
}

function faint(colour: string): string {
  return colour.startsWith("rgb(") ? colour.replace("rgb(", "rgba(").replace(")", ", 0.1)") : "transparent";
}

/** A moment on the axis: its time, its day where that is what counts, and both where a day begins. */
function timeOf(at_s: number, step_s: number, before_s: number | undefined): string {
  const at = new Date(at_s * 1000);
  const day = at.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  if (step_s >= 86_400) return day;
  const time = at.toLocaleTimeString(undefined, { hour12: false, hour: "2-digit", minute: "2-digit", ...(step_s < 60 ? { second: "2-digit" } : {}) });
  const same = before_s !== undefined && new Date(before_s * 1000).toDateString() === at.toDateString();
  return same ? time : `${time}\n${day}`;
}
