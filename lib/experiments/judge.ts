import type { Validation } from '../meta/runLog';
import type { Weights } from '../optimizer/weights';
import { validate } from './validation';

/**
 * Judges a snapshot by the suite `validation`, as `meta-train` does: small networks on the embedded digits, a minute or two on
 * one core. The function for `validate` of `runMetaTraining`.
 * @throws the signal's reason when aborted
 */
export function judgeByValidation(weights: Weights, signal?: AbortSignal): Promise<Validation> {
  return validate(weights, { signal });
}
