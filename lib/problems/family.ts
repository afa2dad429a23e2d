import type { Random } from '../random';
import type { Objective } from './objective';
import type { ParameterShape } from './problem';

/** A family of random objectives with the same tensors: every draw is a fresh instance. */
export interface Family {
  readonly name: string;
  /** Tensors of every instance. */
  readonly parameters: readonly ParameterShape[];
  /** A fresh instance: its matrices, data, labels. The same random numbers give the same instance. */
  sample(random: Random): Objective;
}

/** Families of one kind. */
export interface FamilyGroup {
  readonly name: string;
  readonly families: readonly Family[];
}

/** A family whose instances are those of another one, transformed; a transformation that keeps the tensors. */
export function mapFamily(name: string, family: Family, transform: (objective: Objective) => Objective): Family {
  return { name, parameters: family.parameters, sample: (random) => transform(family.sample(random)) };
}

/** A family whose instances combine one of each family, such as their sum. */
export function combineFamilies(
  name: string,
  families: readonly Family[],
  combine: (parts: readonly Objective[]) => Objective,
): Family {
  return {
    name,
    parameters: joinParameters(families),
    sample: (random) => combine(families.map((family) => family.sample(random))),
  };
}

/** The tensors of several parts, each name with the number of its part in front. */
export function joinParameters(
  parts: readonly { readonly parameters: readonly ParameterShape[] }[],
): readonly ParameterShape[] {
  return parts.flatMap(({ parameters }, part) =>
    parameters.map(({ name, shape }) => ({ name: `${part}/${name}`, shape })),
  );
}
