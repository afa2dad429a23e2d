import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { architectureOfReleased, weightsFromReleased } from '../../lib/optimizer/releasedNames';
import type { ReleasedConfig, ReleasedVariable } from '../../lib/optimizer/releasedNames';
import type { Weights } from '../../lib/optimizer/weights';

/** Folder of the golden files: `GOLDEN_DIR`, else the one that comes with the tests. */
export const goldenFolder = process.env['GOLDEN_DIR'] ?? fileURLToPath(new URL('../fixtures/golden', import.meta.url));

interface Common {
  readonly name: string;
  readonly config: ReleasedConfig;
  readonly metaVariables: Readonly<Record<string, ReleasedVariable>>;
}

/** A trajectory of the released code: the gradients are given, states are recorded after every step. */
export interface Trajectory extends Common {
  readonly tensors: readonly {
    readonly initial: readonly number[];
    readonly initialLogLearningRate: readonly number[];
  }[];
  readonly initialGlobal: readonly (readonly number[])[];
  readonly steps: readonly {
    readonly gradients: readonly (readonly number[])[];
    readonly params: readonly (readonly number[])[];
    readonly attended: readonly (readonly number[])[] | null;
    readonly logLearningRate: readonly (readonly number[])[];
    readonly hidden: readonly (readonly number[])[] | null;
    readonly layer: readonly (readonly number[])[] | null;
    readonly global_: readonly (readonly number[])[];
  }[];
}

/** An unroll on Σ ½‖W x − y‖², from which the released code's meta-gradient was taken. */
export interface MetaGradient extends Common {
  readonly tensors: readonly {
    readonly W: readonly number[];
    readonly y: readonly number[];
    readonly initial: readonly number[];
    readonly initialLogLearningRate: readonly number[];
  }[];
  /** Whether the task gradient's dependence on the parameters was differentiated. */
  readonly secondDerivatives: boolean;
  readonly metaGradients: Readonly<Record<string, readonly number[] | readonly (readonly number[])[]>>;
  /** f(θ_t), θ_0 first. */
  readonly objectives: readonly number[];
  /** θ_t by step and tensor, from t = 1. */
  readonly params: readonly (readonly (readonly number[])[])[];
}

export type Golden =
  | { readonly kind: 'trajectory'; readonly file: string; readonly data: Trajectory }
  | { readonly kind: 'metaGradient'; readonly file: string; readonly data: MetaGradient };

export function goldenFiles(): Golden[] {
  return readdirSync(goldenFolder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => {
      const data: unknown = JSON.parse(readFileSync(join(goldenFolder, file), 'utf8'));
      return 'steps' in (data as object)
        ? { kind: 'trajectory', file, data: data as Trajectory }
        : { kind: 'metaGradient', file, data: data as MetaGradient };
    });
}

export function goldenWeights({ name, config, metaVariables }: Common): Weights {
  return weightsFromReleased(architectureOfReleased(config), metaVariables, {
    name,
    description: '',
    provenance: 'golden file',
    initialLearningRate: 1e-3,
  });
}
