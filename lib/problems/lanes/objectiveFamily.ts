import type { FloatArray } from '../../../bindings/types';
import { createRandom, permutation, type Random } from '../../random';
import type { Family } from '../family';
import type { Batch } from '../objective';
import { PerturbedGradient } from '../perturbedGradient';
import { sizeOf } from '../problem';
import { saturate } from '../transforms/saturate';
import { coordinatesOf, powerOfTen } from './family';
import type { LaneFamily, LaneMembers, RunningArray, SamplingOptions } from './family';

export interface ObjectiveLanesOptions {
  /** As of {@link LaneFamily}; default 1. */
  readonly horizonFactor?: number;
  /** As of {@link LaneFamily}, on top of what the family's own instances do to their gradients; default 0. */
  readonly sparseProbability?: number;
  readonly noiseProbability?: number;
}

/**
 * Any family of objectives as a family in lanes: one instance after the other, in double precision. The lanes that are
 * drawn together share the instance, its minibatches and the perturbations of its gradients. Half of the members with data
 * draw their minibatches with replacement, the others go through their data in epochs.
 *
 * Of the sampling options, `saturation` applies to every family (ceiling 10^U(±1) times the value at the start);
 * `interpolation` does not change the data.
 */
export class ObjectiveLanes implements LaneFamily {
  readonly name: string;
  readonly lengths: readonly number[];
  readonly horizonFactor: number;
  readonly sparseProbability: number;
  readonly noiseProbability: number;

  constructor(
    readonly family: Family,
    options: ObjectiveLanesOptions = {},
  ) {
    this.name = family.name;
    this.lengths = family.parameters.map(sizeOf);
    this.horizonFactor = options.horizonFactor ?? 1;
    this.sparseProbability = options.sparseProbability ?? 0;
    this.noiseProbability = options.noiseProbability ?? 0;
  }

  create(blocks: number, width: number): LaneMembers {
    return new ObjectiveMembers(this.family, this.lengths, blocks, width);
  }
}

/** An instance, and what makes its minibatches. */
interface Member {
  readonly gradient: PerturbedGradient;
  /** Of minibatches and perturbations, each of which depends on nothing but this and the number of the step. */
  readonly seed: number;
  readonly epochs: boolean;
  readonly batch: Int32Array;
  /** All samples in the order of an epoch. */
  order: { readonly epoch: number; readonly samples: Int32Array } | null;
}

class ObjectiveMembers implements LaneMembers {
  private readonly n: number;
  private readonly theta: Float64Array;
  private readonly slope: Float64Array;
  private readonly members: (Member | undefined)[];
  /** Gradients taken of each lane's member. */
  private readonly steps: Int32Array;

  constructor(
    private readonly family: Family,
    private readonly lengths: readonly number[],
    blocks: number,
    private readonly width: number,
  ) {
    this.n = coordinatesOf({ lengths });
    this.theta = new Float64Array(this.n);
    this.slope = new Float64Array(this.n);
    this.members = Array.from({ length: blocks * width });
    this.steps = new Int32Array(blocks * width);
  }

  /** @throws {RangeError} if the instance's tensors are not those of the family */
  sample(block: number, lanes: readonly number[], random: Random, options: SamplingOptions): Float64Array {
    let objective = this.family.sample(random);
    const lengths = objective.parameters.map(sizeOf);
    if (lengths.join() !== this.lengths.join()) {
      throw new RangeError(
        `family "${this.family.name}": expected instances with tensors of ${this.lengths.join(', ')} values, got ${lengths.join(', ')}`,
      );
    }
    const start = objective.start(random);
    if (random.uniform() < options.saturation) {
      objective = saturate(objective, (objective.value(start, null) + 1e-12) * powerOfTen(random, -1, 1));
    }
    const member: Member = {
      gradient: new PerturbedGradient(objective),
      seed: random.integer(2 ** 31),
      epochs: random.uniform() < 0.5,
      batch: new Int32Array(objective.batchSize),
      order: null,
    };
    for (const lane of lanes) {
      const at = block * this.width + lane;
      this.members[at] = member;
      this.steps[at] = 0;
    }
    return start;
  }

  running(): RunningArray[] {
    return [this.steps];
  }

  /** The minibatch of a step. */
  private draw(member: Member, step: number, random: Random): Batch {
    const { batch } = member;
    const { sampleCount } = member.gradient.objective;
    if (sampleCount === 0) return null;
    if (!member.epochs) {
      for (let i = 0; i < batch.length; i++) batch[i] = random.integer(sampleCount);
      return batch;
    }
    const perEpoch = Math.floor(sampleCount / batch.length);
    const epoch = Math.floor(step / perEpoch);
    if (member.order?.epoch !== epoch) {
      member.order = { epoch, samples: permutation(createRandom(member.seed, -1 - epoch), sampleCount) };
    }
    const from = (step % perEpoch) * batch.length;
    return member.order.samples.subarray(from, from + batch.length);
  }

  evaluate(theta: FloatArray, value: FloatArray | null, gradient: FloatArray | null): void {
    this.forEachMember(theta, (member, at) => {
      if (value !== null) value[at] = member.gradient.objective.value(this.theta, null);
      if (gradient === null) return;
      const step = this.steps[at]++;
      const random = createRandom(member.seed, step);
      member.gradient.evaluate(this.theta, this.slope, this.draw(member, step, random), random);
      this.write(this.slope, gradient, at);
    });
  }

  evaluateAll(theta: FloatArray, value: FloatArray, gradient: FloatArray): void {
    this.forEachMember(theta, (member, at) => {
      value[at] = member.gradient.objective.gradient(this.theta, this.slope, null);
      this.write(this.slope, gradient, at);
    });
  }

  hessianVectorProduct(theta: FloatArray, vector: FloatArray, product: FloatArray): void {
    const v = new Float64Array(this.n);
    this.forEachMember(theta, (member, at) => {
      const step = this.steps[at]++;
      const random = createRandom(member.seed, step);
      this.read(vector, v, at);
      member.gradient.product(this.theta, v, this.slope, this.draw(member, step, random), random);
      this.write(this.slope, product, at);
    });
  }

  /** Visits the lanes that have a member, with its parameters in `theta`. */
  private forEachMember(theta: FloatArray, visit: (member: Member, at: number) => void): void {
    this.members.forEach((member, at) => {
      if (member === undefined) return;
      this.read(theta, this.theta, at);
      visit(member, at);
    });
  }

  private read(lanes: FloatArray, out: Float64Array, at: number): void {
    const { width, n } = this;
    const base = Math.floor(at / width) * n * width + (at % width);
    for (let i = 0; i < n; i++) out[i] = lanes[base + i * width];
  }

  private write(values: Float64Array, lanes: FloatArray, at: number): void {
    const { width, n } = this;
    const base = Math.floor(at / width) * n * width + (at % width);
    for (let i = 0; i < n; i++) lanes[base + i * width] = values[i];
  }
}
