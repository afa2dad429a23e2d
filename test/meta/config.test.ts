import { describe, expect, it } from 'vitest';
import { loadWeights } from '../../lib/index';
import { validateMetaTrainingConfig } from '../../lib/meta/config';
import type { MetaTrainingConfig } from '../../lib/meta/config';
import { PAPER_HORIZON } from '../../lib/meta/horizons';
import { META_TRAINING_PRESETS } from '../../lib/meta/presets';

const { default: standard, paper } = META_TRAINING_PRESETS;

/** As it comes from a file, with one field changed, or removed where the value is undefined. */
function changed(config: MetaTrainingConfig, path: string, value: unknown): MetaTrainingConfig {
  const copy = JSON.parse(JSON.stringify(config)) as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop()!;
  const parent = names.reduce((object, name) => object[name] as Record<string, unknown>, copy);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy as unknown as MetaTrainingConfig;
}

/** Paths of all fields. */
function pathsOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, entry]) => [`${path}${name}`, ...pathsOf(entry, `${path}${name}.`)]);
}

/** phases.0.estimator as phases[0].estimator */
const shown = (path: string): string => path.replace(/\.(\d+)/g, '[$1]');

function refusal(config: MetaTrainingConfig): string {
  try {
    validateMetaTrainingConfig(config);
  } catch (error) {
    expect(error).toSatisfy((e) => e instanceof RangeError || e instanceof TypeError);
    return (error as Error).message;
  }
  return 'none';
}

const OPTIONAL = [
  ...['name', 'description', 'weightsMaxLogLearningRate', 'weightsGradientScale', 'weightsInitialRateRange'],
  ...['weightsWarmup', 'weightsAnnealing', 'architecture.gradientScale', 'architecture.activations'],
  'architecture.inputScaling',
  ...['phases.0.horizonGrowth', 'phases.1.horizonGrowth'],
  ...['decay', 'epsilon', 'bound'].map((name) => `phases.0.metaOptimizer.${name}`),
];

describe('a configuration of meta-training', () => {
  it('is valid where it is that of the shipped weights', () => {
    const { config } = JSON.parse(loadWeights('hrnn-3').metadata.provenance) as { config: MetaTrainingConfig };
    expect(validateMetaTrainingConfig(config)).toEqual(standard);
  });

  it.each(Object.entries(META_TRAINING_PRESETS))(
    '%s: needs each of its fields, with a value of its type',
    (_, config) => {
      // Entries of lists have no field of their own.
      const paths = pathsOf(JSON.parse(JSON.stringify(config))).filter((path) => !/\.\d$/.test(path));
      expect(paths.length).toBeGreaterThan(40);
      for (const path of paths) {
        const missing = refusal(changed(config, path, undefined));
        if (OPTIONAL.includes(path)) expect(missing, path).toBe('none');
        else expect(missing, path).toContain(`${shown(path)}: expected `);
        const wrong = refusal(changed(config, path, { no: 'value' }));
        expect(wrong, path).toMatch(/expected .*(got|known: )/);
        expect(wrong, path).toContain(shown(path));
      }
    },
  );

  it('refuses an unknown field, naming it, its value and the known ones', () => {
    for (const config of [standard, paper]) {
      const objects = ['', ...pathsOf(JSON.parse(JSON.stringify(config)))].filter((path) => {
        const at = path.split('.').reduce((o: never, name) => (name === '' ? o : o[name]), config as never) as unknown;
        return typeof at === 'object' && at !== null && !Array.isArray(at);
      });
      expect(objects.length).toBeGreaterThan(6);
      for (const path of objects.filter((path) => path !== 'architecture')) {
        const field = path === '' ? 'speed' : `${path}.speed`;
        const message = refusal(changed(config, field, 'high'));
        expect(message).toContain(`${shown(field)}: expected no such field (known: `);
        expect(message).toContain('got "high"');
      }
      expect(refusal(changed(config, 'architecture.speed', 'high'))).toMatch(
        /^architecture.speed: unknown field; known: /,
      );
    }
    expect(refusal(changed(standard, 'phases.1.estimator.clipNorm', 1))).toBe(
      'phases[1].estimator.clipNorm: expected no such field (known: kind, truncation, augmentation, initialRates, horizon, ' +
        'lossFloor, sigma, differenceBound, normMultiple, objective, stopMultiplier), got 1',
    );
  });

  it.each([
    ['phases.0.estimator.horizon', [300, 100], 'two numbers above 0 in ascending order, got [300,100]'],
    ['phases.0.estimator.horizon', { ...PAPER_HORIZON, shortest: 0 }, 'a whole number from 1, got 0'],
    ['phases.0.estimator.secondDerivatives', 'yes', 'true or false, got "yes"'],
    ['phases.0.estimator.stopMultiplier', 0, 'a number above 0, or null for infinity, got 0'],
    ['phases.0.estimator.checkpointInterval', 2.5, 'a whole number from 1, got 2.5'],
    ['phases.0.estimator.objective', 'cubic', `'log' or 'linear', got "cubic"`],
    ['phases.1.estimator.objective', 'cubic', `'log' or 'linear', got "cubic"`],
    ['phases.1.estimator.kind', 'rl', `'pes' or 'nres' or 'es' or 'bptt', got "rl"`],
    ['phases.1.estimator.sigma', null, 'a number above 0, got null'],
    ['phases.1.metaOptimizer', { kind: 'adam', beta1: 1 }, 'a number from 0, below 1, got 1'],
    ['phases.1.metaOptimizer.kind', 'sgd', `'adam' or 'rmsprop', got "sgd"`],
    ['phases.1.horizonGrowth', [0, 10], 'two numbers above 0 in ascending order, got [0,10]'],
    ['phases', [], 'a list of phases, got []'],
    ['weightsWarmup', { steps: 10, from: 2 }, 'a number above 0, at most 1, got 2'],
    ['weightsGradientScale', 1e12, 'a number from 1e-9 to 1000000000, got 1000000000000'],
    ['corpus', 'mine', `'default' or 'paper' or 'paper-with-networks' or 'none', got "mine"`],
    ['problems', 'mine.mjs', 'the absolute path of a module, got "mine.mjs"'],
    ['seed', 0.5, 'a whole number, got 0.5'],
  ])('refuses %s: %j', (path, value, expected) => {
    const message = refusal(changed(standard, path, value));
    expect(message).toContain(`: expected ${expected}`);
    expect(message.startsWith(shown(path))).toBe(true);
  });

  it('needs a module of problems where the corpus has none', () => {
    const config = changed(standard, 'corpus', 'none');
    expect(refusal(config)).toBe('problems: expected a module, for the corpus "none" has no problems, got nothing');
    expect(refusal(changed(config, 'problems', '/mine.mjs'))).toBe('none');
  });

  it('has no growing horizon where horizons are heavy-tailed, which have no longest one', () => {
    expect(refusal(changed(standard, 'phases.1.estimator.horizon', PAPER_HORIZON))).toBe(
      'phases[1].horizonGrowth: expected none with a heavy-tailed horizon, got [500,1500]',
    );
  });

  it('may have the options of back-propagation in evolution strategies, with null for infinity', () => {
    const phases = standard.phases.map((phase) => {
      const { horizonGrowth: _, ...rest } = phase;
      const more = { objective: 'linear', stopMultiplier: Infinity, horizon: PAPER_HORIZON } as const;
      return { ...rest, estimator: { ...phase.estimator, ...more } };
    });
    const config = { ...standard, phases };
    expect(validateMetaTrainingConfig(JSON.parse(JSON.stringify(config)) as typeof config)).toEqual(config);
  });
});
