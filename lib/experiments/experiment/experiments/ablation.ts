import { join } from 'node:path';
import { loadDigits } from '../../../datasets/digits';
import { totalIterations } from '../../../meta/config';
import { areWorse, fallScore, networkScore } from '../../ablation/scores';
import { metaTrained } from '../../ablation/metaTrainings';
import { ablationConfig, VARIANTS, type Variant, type VariantGroup } from '../../ablation/variants';
import { LOSS_FLOOR } from '../../metrics';
import { mean } from '../../statistics';
import { VALIDATION_TASKS } from '../../tasks/validationTasks';
import { learned } from '../contestants';
import { corpusTasks } from '../corpusTasks';
import { completeLosses } from '../curve';
import { CurveRunner, StepCounter, type CurveTask, type RateCurves } from '../curveRunner';
import type { Effort, Experiment, ExperimentContext } from '../experiment';
import { evaluateEvery } from '../parts';
import { quantile, spreadOf } from '../quantiles';
import {
  finiteOrNull,
  seriesPoint,
  tableColumns,
  type ChartPart,
  type DotPlotPart,
  type Finding,
  type TablePart,
} from '../result';

/** How much is meta-trained, and on how many runs weights are judged. */
interface Budget {
  /** Of the iterations of the recipe of the shipped weights. */
  readonly share: number;
  readonly metaSeeds: number;
  readonly seeds: readonly number[];
}

const FULL_BUDGET: Budget = { share: 0.25, metaSeeds: 2, seeds: [0, 1] };
const QUICK_BUDGET: Budget = { share: 0.01, metaSeeds: 1, seeds: [0] };
const QUICK_NETWORKS = ['digits-relu', 'digits-sigmoid', 'digits-conv', 'digits-deep'];
const QUICK_STEPS = 300;
/** A network of 20,000 steps takes as long as all others together. */
const TOO_LONG = 10_000;
/** Training steps that an iteration of meta-training takes about as long as, for the estimate of what is left. */
const STEPS_PER_ITERATION = 300;
/** Ratios of losses above count as this much in pictures. */
const HIGHEST_RATIO = 10;

const GROUPS: Readonly<Record<VariantGroup, string>> = {
  inputs: 'What the network sees',
  structure: 'How it is built',
  training: 'What is learned, and how it is meta-trained',
};

/** Weights of one variant and meta-training seed, with all they were judged on. */
interface Judged {
  readonly networks: readonly RateCurves[];
  readonly corpus: readonly RateCurves[];
  readonly networkScore: number;
  readonly corpusScore: number;
  /** Of meta-training. */
  readonly seconds: number;
}

interface VariantRuns {
  /** Undefined: the full optimizer. */
  readonly variant: Variant | undefined;
  /** One for every meta-training seed. */
  readonly judged: readonly Judged[];
}

const titleOf = (variant: Variant | undefined): string => variant?.title ?? 'full optimizer';

function networkTasks(effort: Effort): CurveTask[] {
  const digits = loadDigits();
  return VALIDATION_TASKS.filter(
    ({ name, data, steps }) => data === 'digits' && (effort.quick ? QUICK_NETWORKS.includes(name) : steps < TOO_LONG),
  ).map((task) => {
    const steps = effort.steps ?? (effort.quick ? QUICK_STEPS : task.steps);
    const problem = task.problem({ digits });
    return { ...task, steps, evaluateEvery: evaluateEvery(steps, effort), problem: () => problem };
  });
}

/** Meta-trains and judges one variant after the other, all with the first seed, then all with the next. */
class Ablation {
  readonly networks: readonly CurveTask[];
  readonly corpus: readonly CurveTask[];
  readonly metaSeeds: readonly number[];
  readonly iterations: number;
  readonly #counter: StepCounter;
  readonly #runners = new Map<CurveTask, CurveRunner>();

  constructor(
    private readonly context: ExperimentContext,
    private readonly budget: Budget,
    private readonly variants: readonly Variant[],
  ) {
    const { effort, onProgress } = context;
    this.networks = networkTasks(effort);
    this.corpus = corpusTasks(effort, true).map(({ task }) => task);
    this.metaSeeds = Array.from({ length: effort.seeds ?? budget.metaSeeds }, (_, seed) => seed);
    this.iterations = totalIterations(ablationConfig(undefined, 0, budget.share));
    const steps = [...this.networks, ...this.corpus].reduce((sum, task) => sum + budget.seeds.length * task.steps, 0);
    const each = steps + STEPS_PER_ITERATION * this.iterations;
    this.#counter = new StepCounter((variants.length + 1) * this.metaSeeds.length * each, onProgress);
  }

  async run(): Promise<VariantRuns[]> {
    const all = [undefined, ...this.variants].map((variant) => ({ variant, judged: [] as Judged[] }));
    for (const seed of this.metaSeeds) {
      for (const { variant, judged } of all) judged.push(await this.#judge(variant, seed));
    }
    return all;
  }

  async #judge(variant: Variant | undefined, seed: number): Promise<Judged> {
    const { runsDir, threads, signal } = this.context;
    const label = `meta-training, ${titleOf(variant)}, seed ${seed}`;
    let [reported, resumed] = [0, true];
    const { weights, seconds } = await metaTrained(ablationConfig(variant, seed, this.budget.share), {
      folder: join(runsDir, 'meta-training'),
      threads,
      signal,
      onProgress: ({ iteration }) => {
        // A run that goes on begins with what was done before.
        this.#counter.add(label, STEPS_PER_ITERATION * (iteration - reported), resumed && iteration > 1);
        [reported, resumed] = [iteration, false];
      },
    });
    this.#counter.add(label, STEPS_PER_ITERATION * (this.iterations - reported), true);
    const contestant = { ...learned(weights), title: titleOf(variant) };
    const curves = async (tasks: readonly CurveTask[]): Promise<RateCurves[]> => {
      const runs: RateCurves[] = [];
      for (const task of tasks) {
        runs.push(await this.#runner(task).curves(contestant, contestant.customaryRate, this.budget.seeds));
      }
      return runs;
    };
    const networks = await curves(this.networks);
    const corpus = await curves(this.corpus);
    return {
      networks,
      corpus,
      networkScore: networkScore(networks.flatMap(({ metrics }) => metrics)),
      corpusScore: fallScore(corpus.flatMap(({ metrics }) => metrics)),
      seconds,
    };
  }

  /** One for all weights: problems are made once. */
  #runner(task: CurveTask): CurveRunner {
    let runner = this.#runners.get(task);
    if (!runner) this.#runners.set(task, (runner = new CurveRunner(task, this.context, this.#counter)));
    return runner;
  }
}

type Score = (judged: Judged) => number;
const ON_NETWORKS: Score = (judged) => judged.networkScore;
const ON_CORPUS: Score = (judged) => judged.corpusScore;

function differenceChart(name: string, title: string, runs: readonly VariantRuns[], score: Score): DotPlotPart {
  const reference = mean(runs[0].judged.map(score));
  const seeds = runs[0].judged.length;
  return {
    kind: 'dots',
    name,
    title,
    subtitle: `A dot for every seed of meta-training (${seeds}), a stroke for their median`,
    caption:
      'Right of the line is worse than the full optimizer, the mean of whose seeds is zero; its own dots show how much seeds differ. One unit is a factor of ten in the final loss, on the geometric average.',
    x: 'Difference of the score from the full optimizer, decades of loss',
    rows: runs.map(({ variant, judged }) => ({
      name: titleOf(variant),
      role: variant ? 'other' : 'learned',
      values: judged.map((of) => finiteOrNull(score(of) - reference)),
    })),
  };
}

/** Geometric mean over the networks and seeds of loss / initial loss at each evaluation, for one set of weights. */
function progressOf({ networks }: Judged, tasks: readonly CurveTask[]): number[] {
  const curves = networks.flatMap(({ curves: of }, i) =>
    of.map((curve) => completeLosses(curve, tasks[i]).map((loss) => loss / curve.losses[0])),
  );
  const evaluations = Math.min(...curves.map(({ length }) => length));
  const held = (ratio: number): number => Math.log(Math.min(Math.max(ratio, LOSS_FLOOR), HIGHEST_RATIO));
  return Array.from({ length: evaluations }, (_, i) => Math.exp(mean(curves.map((ratios) => held(ratios[i])))));
}

function progressChart(group: VariantGroup, runs: readonly VariantRuns[], tasks: readonly CurveTask[]): ChartPart {
  const shown = runs.filter(({ variant }) => variant === undefined || variant.group === group);
  return {
    kind: 'chart',
    name: `networks-${group}`,
    title: GROUPS[group],
    subtitle: `Geometric mean over ${tasks.length} networks of loss / initial loss; median and range over seeds of meta-training`,
    caption: 'Lower is better.',
    x: { title: 'Share of the training, %', log: false },
    y: { title: 'Loss / initial loss (log scale)', log: true },
    dots: false,
    series: shown.map(({ variant, judged }) => {
      const progress = judged.map((of) => progressOf(of, tasks));
      return {
        name: titleOf(variant),
        role: variant ? 'other' : 'learned',
        points: progress[0].map((_, i) =>
          seriesPoint(
            Number(((100 * i) / (progress[0].length - 1)).toPrecision(4)),
            spreadOf(progress.map((ratios) => ratios[i])),
            judged.length,
          ),
        ),
      };
    }),
  };
}

function scoreTable(runs: readonly VariantRuns[]): TablePart {
  const seeds = runs[0].judged.map((_, seed) => seed);
  const of = (score: Score, { judged }: VariantRuns): (number | null)[] =>
    judged.map((one) => finiteOrNull(score(one)));
  const failures = ({ judged }: VariantRuns): number =>
    judged
      .flatMap(({ networks }) => networks.flatMap(({ metrics }) => metrics))
      .filter(({ outcome }) => outcome !== 'trained').length;
  return {
    kind: 'table',
    name: 'scores',
    title: 'Scores, lower is better: mean log10 of the final loss (networks), of final / initial loss (corpus)',
    columns: tableColumns(
      'variant',
      ...seeds.map((seed) => [`networks, seed ${seed}`, 'number'] as const),
      ...seeds.map((seed) => [`corpus, seed ${seed}`, 'number'] as const),
      ['stuck or diverged, networks', 'count'],
      ['minutes of meta-training, median', 'number'],
    ),
    rows: runs.map((row) => [
      titleOf(row.variant),
      ...of(ON_NETWORKS, row),
      ...of(ON_CORPUS, row),
      failures(row),
      finiteOrNull(
        quantile(
          row.judged.map(({ seconds }) => seconds / 60),
          0.5,
        ),
      ),
    ]),
  };
}

function taskTable(runs: readonly VariantRuns[], tasks: readonly CurveTask[]): TablePart {
  return {
    kind: 'table',
    name: 'networks',
    title: 'Median final loss on every network, over all seeds',
    columns: tableColumns('variant', ...tasks.map(({ name }) => [name, 'loss'] as const)),
    rows: runs.map(({ variant, judged }) => [
      titleOf(variant),
      ...tasks.map((_, i) =>
        finiteOrNull(
          quantile(
            judged.flatMap(({ networks }) => networks[i].metrics.map((m) => m.finalLoss)),
            0.5,
          ),
        ),
      ),
    ]),
  };
}

function finding({ variant, judged }: VariantRuns, full: VariantRuns, where: string, score: Score): Finding {
  const { title, expected } = variant!;
  const [own, theirs] = [judged.map(score), full.judged.map(score)];
  const worse = areWorse(own, theirs);
  const signed = (value: number): string => `${value >= 0 ? '+' : '−'}${Math.abs(value).toFixed(2)}`;
  const reference = mean(theirs);
  return {
    expected: `${title}: ${expected} than the full optimizer on ${where}, with every seed`,
    measured: `${own.map((value) => signed(value - reference)).join(', ')} decades; the full optimizer's seeds ${theirs.map((value) => signed(value - reference)).join(', ')}`,
    holds: worse === null ? null : worse === (expected === 'worse'),
  };
}

/** Figure 6, with these variants and budgets. */
export function createAblation(
  variants: readonly Variant[] = VARIANTS,
  budgets: { readonly full: Budget; readonly quick: Budget } = { full: FULL_BUDGET, quick: QUICK_BUDGET },
): Experiment {
  return {
    name: 'ablation',
    title: 'What each part is good for',
    figure: 'Figure 6',
    claim:
      'Each design feature contributes: without attention, momentum at several timescales, dynamic input scaling, relative log gradient magnitudes, relative learning rates or the upper levels the learned optimizer is worse; without the log objective and heavy-tailed horizons meta-training is.',
    method:
      'The recipe of the shipped weights with a share of its iterations, once as it is and once for every variant with one thing changed: same budget, same seeds, the weights of the end, no selection. Attention is not in the shipped optimizer, so it is added, not removed. All are judged on networks on the 8×8 digits and on families of the paper’s corpus, at the initial rate 1e-3 with the schedule of the shipped weights.',
    makesWeights: true,
    async run(context: ExperimentContext) {
      const { effort } = context;
      const budget = effort.quick ? budgets.quick : budgets.full;
      const ablation = new Ablation(context, budget, variants);
      const runs = await ablation.run();
      const [full, ...others] = runs;
      const { networks, corpus, metaSeeds, iterations } = ablation;
      const groups = (Object.keys(GROUPS) as VariantGroup[]).filter((group) =>
        variants.some((variant) => variant.group === group),
      );
      return {
        settings: [
          ['Meta-training', `${iterations} iterations, ${budget.share * 100} % of the recipe of the shipped weights`],
          ['Seeds of meta-training', metaSeeds.join(', ')],
          ['Networks', networks.map(({ name, steps }) => `${name} (${steps} steps)`).join(', ')],
          ['Corpus', `${corpus.length} families, two of each kind, ${corpus[0].steps} steps`],
          ['Seeds of every training', budget.seeds.join(', ')],
          ...variants.map(({ title, change }): readonly [string, string] => [title, change]),
        ],
        findings: [
          ...others.map((row) => finding(row, full, 'networks', ON_NETWORKS)),
          ...others.map((row) => finding(row, full, 'the corpus', ON_CORPUS)),
        ],
        notes: [
          `${metaSeeds.length === 1 ? 'One seed of meta-training decides' : `${metaSeeds.length} seeds of meta-training decide`} little: a difference counts only where all seeds of a variant lie on one side of all seeds of the full optimizer.`,
          'What helps in a short meta-training may not matter in a long one, and the other way round.',
          'The networks are those by which the shipped recipe was chosen, with every part of it in place.',
        ],
        parts: [
          differenceChart('difference-networks', 'Networks: the optimizer with one thing changed', runs, ON_NETWORKS),
          differenceChart('difference-corpus', 'Corpus: the optimizer with one thing changed', runs, ON_CORPUS),
          scoreTable(runs),
          ...groups.map((group) => progressChart(group, runs, networks)),
          taskTable(runs, networks),
        ],
      };
    },
  };
}

export const ablation = createAblation();
