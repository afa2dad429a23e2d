import type { Optimizer } from '@tensorflow/tfjs';
import { presets } from '../../lib/optimizer/presets';
import type { TensorFlow } from '../../lib/tfjs/backend';
import { learnedOptimizer } from '../../lib/tfjs/index';
import type { TfOptimizerOptions } from '../../lib/tfjs/options';

/** What every learned optimizer is compared with. */
export const BASELINE = 'adam';
export const LEARNED = 'learned';

/** Any will do: the time of a step does not depend on it, as long as the loss stays finite. */
const ADAM_RATE = 1e-4;

const SWITCHES = { zeroCopy: { zeroCopy: true }, stateBits16: { stateBits: 16 } } as const satisfies Record<
  string,
  TfOptimizerOptions
>;
export const SWITCH_NAMES = Object.keys(SWITCHES) as (keyof typeof SWITCHES)[];

/**
 * Options of a learned optimizer by its name: `learned`, `learned:PRESET`, either with `+zeroCopy` and `+stateBits16` behind it.
 * @throws {RangeError} naming the part, what was expected and what came
 */
export function learnedOptions(name: string): TfOptimizerOptions {
  const [base, ...switches] = name.split('+');
  const [kind, preset, ...rest] = base.split(':');
  if (kind !== LEARNED || rest.length > 0) {
    throw new RangeError(`optimizer: expected ${BASELINE}, ${LEARNED} or ${LEARNED}:PRESET, got '${name}'`);
  }
  const known = presets().map((p) => p.name);
  if (preset !== undefined && !known.includes(preset)) {
    throw new RangeError(`preset of optimizer '${name}': expected one of ${known.join(', ')}, got '${preset}'`);
  }
  return switches.reduce<TfOptimizerOptions>(
    (options, text) => {
      const found = SWITCH_NAMES.find((switchName) => switchName === text);
      if (found === undefined) {
        throw new RangeError(
          `switch of optimizer '${name}': expected one of ${SWITCH_NAMES.join(', ')}, got '${text}'`,
        );
      }
      return { ...options, ...SWITCHES[found] };
    },
    preset === undefined ? {} : { preset },
  );
}

/** @throws {RangeError} as `learnedOptions` does */
export function makeOptimizer(tf: TensorFlow, name: string): Optimizer {
  return name === BASELINE ? tf.train.adam(ADAM_RATE) : learnedOptimizer(learnedOptions(name));
}
