import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** A seeded source of random numbers: the same seed and stream give the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Uniform integer in [0, limit). */
  integer(limit: number): number;
  /** Standard normal. */
  normal(): number;
}

/** One round of the finaliser of MurmurHash3: spreads neighbouring seeds over the whole state space. */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) | 0;
}

/**
 * Creates a source of random numbers.
 * @param seed integer; its low 32 bits count.
 * @param stream separates the uses of one seed (starts, batches, splits), so that none depends on how much another draws.
 * @throws {RangeError} if `seed` is not a safe integer.
 */
export function createRandom(seed: number, stream: number = 0): Random {
  if (!Number.isSafeInteger(seed)) {
    throw new RangeError(`seed: expected an integer, got ${String(seed)}`);
  }
  const generator = xoroshiro128plus(mix(mix(seed) + Math.imul(stream + 1, 0x9e3779b9)));
  let spare: number | undefined;
  const uniform = (): number => uniformFloat64(generator);
  return {
    uniform,
    integer: (limit) => uniformInt(generator, 0, limit - 1),
    normal(): number {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      // Box–Muller; 1 − u lies in (0, 1], so the logarithm is finite.
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  };
}

/** The integers 0…count−1 in random order (Fisher–Yates). */
export function permutation(random: Random, count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const value = order[i];
    order[i] = order[j];
    order[j] = value;
  }
  return order;
}
