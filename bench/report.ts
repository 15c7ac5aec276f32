import { spreadOf, type Spread } from "./measure/statistics.ts";
import type { CaseResult, TargetResult } from "./pairs.ts";
import type { Cell, Compared } from "./scenario.ts";

/** What a case comes to: without its void cells. */
export interface Summary {
  readonly name: string;
  readonly targets: readonly {
    readonly name: string;
    readonly figures: Readonly<Record<string, Spread>>;
    readonly voids: number;
    /** Roomcast's figures divided by this target's, pair by pair, as the columns name them; of roomcast there are none. */
    readonly ratios: Readonly<Record<string, Spread>>;
  }[];
}

export function summaryOf({ name, compared, targets }: CaseResult): Summary {
  const ours = targets.filter(({ isOurs }) => isOurs);
  return {
    name,
    targets: targets.map((target) => ({
      name: target.name,
      figures: Object.fromEntries(
        namesOf(target.cells).map((figure) => [
          figure,
          spreadOf(valid(target.cells).map(({ figures }) => figures[figure] ?? Number.NaN)),
        ]),
      ),
      voids: target.cells.length - valid(target.cells).length,
      ratios: Object.fromEntries(
        (target.isOurs ? [] : ours).flatMap((our) =>
          compared.map((one) => [ratioName(our, one), spreadOf(ratiosOf(our, target, one))]),
        ),
      ),
    })),
  };
}

/** A table in Markdown: a row for each target, medians with the least and the most of what is compared. */
export function tableOf(summary: Summary, compared: readonly Compared[]): string[] {
  const columns = [...new Set(summary.targets.flatMap(({ figures }) => Object.keys(figures)))];
  const ratioColumns = [...new Set(summary.targets.flatMap(({ ratios }) => Object.keys(ratios)))];
  const rows = summary.targets.map(({ name, figures, ratios, voids }) => [
    name,
    ...columns.map((column) => {
      const isCompared = compared.some(({ figure }) => figure === column);
      return figures[column] === undefined ? "–" : shown(figures[column], isCompared);
    }),
    ...ratioColumns.map((column) => (ratios[column] === undefined ? "" : shown(ratios[column], true))),
    voids === 0 ? "" : `${voids} VOID`,
  ]);
  const header = ["", ...columns, ...ratioColumns, "void"];
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
}

function ratioName({ name }: TargetResult, { figure, better }: Compared): string {
  return `${name}: ${figure} x (${better} is better)`;
}

function ratiosOf(ours: TargetResult, theirs: TargetResult, { figure }: Compared): number[] {
  return ours.cells.flatMap((cell, pair) => {
    const other = theirs.cells[pair];
    if (other === undefined || cell.wrong.length > 0 || other.wrong.length > 0) return [];
    return [cell.figures[figure]! / other.figures[figure]!];
  });
}

function valid(cells: readonly Cell[]): Cell[] {
  return cells.filter(({ wrong }) => wrong.length === 0);
}

function namesOf(cells: readonly Cell[]): string[] {
  return [...new Set(valid(cells).flatMap(({ figures }) => Object.keys(figures)))];
}

function shown({ median, min, max }: Spread, withSpread: boolean): string {
  if (Number.isNaN(median)) return "–";
  return withSpread ? `${short(median)} [${short(min)}–${short(max)}]` : short(median);
}

/** Three digits are more than any of these figures is good for. */
function short(figure: number): string {
  if (figure === 0) return "0";
  return Math.abs(figure) >= 100
    ? Math.round(figure).toLocaleString("en-US")
    : String(Number(figure.toPrecision(3)));
}
