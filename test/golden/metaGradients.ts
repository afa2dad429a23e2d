import { RELEASED_NAMES } from '../../lib/optimizer/releasedNames';
import type { MetaGradient } from './files';

/** The recorded meta-gradient by our names, row-major. */
export function releasedGradient(data: MetaGradient): Map<string, Float64Array> {
  const ours = new Map(Object.entries(RELEASED_NAMES).map(([name, released]) => [`LOL/${released}:0`, name]));
  return new Map(
    Object.entries(data.metaGradients).map(([released, values]) => [
      ours.get(released) ?? released,
      Float64Array.from((values as readonly (number | readonly number[])[]).flat()),
    ]),
  );
}
