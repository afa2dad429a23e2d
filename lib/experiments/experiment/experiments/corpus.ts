import { formatPercent } from '../../format';
import { LOSS_FLOOR } from '../../metrics';
import { learned, planOf, TUNED } from '../contestants';
import { corpusTasks, ownCorpusTasks, type CorpusTask } from '../corpusTasks';
import { StepCounter, type CurveTask } from '../curveRunner';
import type { Experiment, ExperimentContext } from '../experiment';
import { fieldRuns, trainField, type Field } from '../field';
import { finalLosses, lossChart, planSettings, type Entry } from '../parts';
import { performanceRatios, shareWithin } from '../profile';
import { quantile, quartilesOf } from '../quantiles';
import { finiteOrNull, seriesPoint, tableColumns, type ChartPart, type Finding, type TablePart } from '../result';

/** Groups of which the first family is drawn. */
const DRAWN = ['quadratic', 'regression', 'landscape'];
const TAUS = Array.from({ length: 81 }, (_, i) => 10 ** (i / 10));
/** Within so many times the best loss an optimizer counts as good on an instance. */
const GOOD = 2;

interface FamilyRuns {
  readonly group: string;
  readonly task: CurveTask;
  /** The learned optimizer first. */
  readonly entries: readonly Entry[];
  /** [optimizer][instance] */
  readonly ratios: readonly (readonly number[])[];
}

async function trainFamily(
  { group, task }: CorpusTask,
  field: Field,
  context: ExperimentContext,
  counter: StepCounter,
): Promise<FamilyRuns> {
  const entries = await trainField(field, task, planOf(context.effort), context, counter);
  const floors = entries[0].runs.metrics.map(({ initialLoss }) => LOSS_FLOOR * initialLoss);
  const ratios = performanceRatios(
    entries.map(({ runs }) => finalLosses(runs.metrics)),
    floors,
  );
  return { group, task, entries, ratios };
}

const titleOf = ({ runs }: Entry): string => runs.contestant.title;

/** Ratios of the n-th optimizer over the instances of all these families. */
const ratiosOf = (families: readonly FamilyRuns[], optimizer: number): number[] =>
  families.flatMap(({ ratios }) => ratios[optimizer]);

function profileChart(name: string, title: string, families: readonly FamilyRuns[]): ChartPart {
  const { entries } = families[0];
  const count = ratiosOf(families, 0).length;
  return {
    kind: 'chart',
    name,
    title,
    subtitle: `${count} instances of ${families.length} families; others at the rate that is best for the family`,
    caption:
      'Performance profile: at τ, the share of instances on which an optimizer’s final loss is at most τ times the lowest of all five. Higher is better; at τ = 1 it is the share of instances that it wins, at the right end the share on which it does not diverge.',
    x: {
      title: 'τ: multiple of the lowest final loss (log scale)',
      log: true,
      ticks: Array.from({ length: 9 }, (_, i) => 10 ** i),
    },
    y: { title: 'Share of instances', log: false, ticks: [0, 1] },
    dots: false,
    series: entries.map((entry, optimizer) => ({
      name: titleOf(entry),
      role: entry.role,
      points: TAUS.map((tau) => {
        const share = shareWithin(ratiosOf(families, optimizer), tau);
        return seriesPoint(Number(tau.toPrecision(5)), { median: share, low: share, high: share }, count);
      }),
    })),
  };
}

function groupTable(families: readonly FamilyRuns[]): TablePart {
  const groups = [...new Set(families.map(({ group }) => group))];
  const { entries } = families[0];
  return {
    kind: 'table',
    name: 'groups',
    title: `Share of instances within ${GOOD} times the lowest final loss, by kind of problem`,
    columns: tableColumns(
      'kind',
      ['instances', 'count'],
      ...entries.map((entry) => [titleOf(entry), 'percent'] as const),
      ['learned / lowest, median', 'number'],
    ),
    rows: groups.map((group) => {
      const members = families.filter((family) => family.group === group);
      const own = ratiosOf(members, 0);
      return [
        group,
        own.length,
        ...entries.map((_, optimizer) => shareWithin(ratiosOf(members, optimizer), GOOD)),
        finiteOrNull(quantile(own, 0.5)),
      ];
    }),
  };
}

function familyTable(families: readonly FamilyRuns[]): TablePart {
  const { entries } = families[0];
  return {
    kind: 'table',
    name: 'families',
    title: 'Median over instances of ln(final loss / initial loss): lower is better',
    columns: tableColumns('family', ['kind', 'text'], ...entries.map((entry) => [titleOf(entry), 'number'] as const)),
    rows: families.map(({ group, task, entries: of }) => [
      task.title,
      group,
      ...of.map(({ runs }) => {
        const losses = finalLosses(runs.metrics);
        const falls = losses.map((loss, i) => Math.log(Math.max(loss / runs.metrics[i].initialLoss, LOSS_FLOOR)));
        return finiteOrNull(quantile(falls, 0.5));
      }),
    ]),
  };
}

/** On how many instances the learned optimizer ends below another one. */
function winFinding(families: readonly FamilyRuns[], optimizer: number, where: string): Finding {
  const [own, theirs] = [ratiosOf(families, 0), ratiosOf(families, optimizer)];
  const wins = own.filter((ratio, i) => ratio <= theirs[i]).length / own.length;
  const title = titleOf(families[0].entries[optimizer]);
  return {
    expected: `final loss at most that of tuned ${title} on at least half of the instances of ${where}`,
    measured: `on ${formatPercent(wins)} of ${own.length}`,
    holds: wins >= 0.5,
  };
}

function nearBestFinding(families: readonly FamilyRuns[], where: string): Finding {
  const { entries } = families[0];
  const shares = entries.map((_, optimizer) => shareWithin(ratiosOf(families, optimizer), GOOD));
  return {
    expected: `within ${GOOD} times the lowest loss on more instances of ${where} than any other optimizer`,
    measured: entries.map((entry, i) => `${titleOf(entry)} ${formatPercent(shares[i])}`).join(', '),
    holds: shares.slice(1).every((share) => shares[0] >= share),
  };
}

function reliability(families: readonly FamilyRuns[], where: string): Finding {
  const diverged = ratiosOf(families, 0).filter((ratio) => !Number.isFinite(ratio)).length;
  return {
    expected: `${where}: no run of the learned optimizer ends above its initial loss`,
    measured: `${diverged} of ${ratiosOf(families, 0).length}`,
    holds: diverged === 0,
  };
}

function corpusFindings(families: readonly FamilyRuns[], where: string): Finding[] {
  return [
    ...[1, 2].map((optimizer) => winFinding(families, optimizer, where)),
    nearBestFinding(families, where),
    reliability(families, where),
  ];
}

/** Figure 3: the kinds of problems that the paper's optimizer was meta-trained on. */
export const corpus: Experiment = {
  name: 'corpus',
  title: 'Problems of the meta-training corpus',
  figure: 'Figure 3',
  claim: 'On problems of the kinds it was meta-trained on, the learned optimizer outperforms RMSProp and Adam.',
  method:
    'Fresh random instances of the families of the paper’s ensemble (small sigmoid networks, which the paper kept for later, included), and of those that the shipped weights were meta-trained on. The rate of every other optimizer is tuned for each family, on other instances. The paper shows curves of single problems; here a performance profile over all instances stands first.',
  async run(context: ExperimentContext) {
    const { effort } = context;
    const plan = planOf(effort);
    const [ofPaper, ofOwn] = [corpusTasks(effort), ownCorpusTasks(effort)];
    const field: Field = { own: [{ role: 'learned', contestant: learned(context.weights) }], tuned: TUNED };
    const runs = fieldRuns(field, plan);
    const total = [...ofPaper, ...ofOwn].reduce((sum, { task }) => sum + runs * task.steps, 0);
    const counter = new StepCounter(total, context.onProgress);
    const trained = async (tasks: readonly CorpusTask[]): Promise<FamilyRuns[]> => {
      const families: FamilyRuns[] = [];
      for (const task of tasks) families.push(await trainFamily(task, field, context, counter));
      return families;
    };
    const families = await trained(ofPaper);
    const own = await trained(ofOwn);
    const drawn = DRAWN.map((group) => families.find((family) => family.group === group)!);
    const { steps, evaluateEvery: every } = ofPaper[0].task;
    return {
      settings: [
        [
          'Families',
          `${families.length} of the paper’s ensemble (${effort.quick ? 'two of each kind' : 'all'}), ${own.length} of the shipped weights’ own corpus; an instance for every seed`,
        ],
        ['Training', `${steps.toLocaleString('en')} steps, loss measured every ${every} on all samples, without noise`],
        ...planSettings(plan, []),
      ],
      findings: [...corpusFindings(families, 'the paper’s ensemble'), ...corpusFindings(own, 'the own corpus')],
      notes: [
        'The weights that ship were meta-trained on a corpus of their own, of which the families of the paper’s ensemble are relatives, not members. Of the own corpus these are members that meta-training did not draw, rescaled and with noise as there, for longer than most of its trajectories.',
        'The others see every family before they are judged on it: their rate is chosen for it. The learned optimizer’s first 150 steps are a warm-up, which counts in so short trainings.',
        `Losses below ${LOSS_FLOOR.toExponential()} times the initial one count as that much.`,
      ],
      parts: [
        profileChart('profile', 'How often each optimizer comes near the best: the paper’s ensemble', families),
        groupTable([...families, ...own]),
        profileChart('profile-own', 'The same on the corpus that the weights were meta-trained on', own),
        ...drawn.map(({ task, entries }) =>
          lossChart(
            `curves-${task.title.replace(/[^a-z0-9]+/g, '-')}`,
            { ...task, title: `The family ${task.title}` },
            entries,
            `Median and quartiles over ${plan.seeds.length} instances; others at their best rate for the family`,
            quartilesOf,
          ),
        ),
        familyTable([...families, ...own]),
      ],
    };
  },
};
