/**
 * Estimates the meta-gradients of all golden files in float32 with the instruction set of `LEARNED_OPTIMIZER_ISA`; prints
 * the errors as JSON.
 */
import { info } from '../../lib/index';
import { estimateErrors, metaGradientFiles } from './goldenEstimate';

const results = metaGradientFiles.map(({ file, data }) => ({
  file,
  errors: estimateErrors(data, { precision: 'float32', products: true, checkpointInterval: 5 }),
}));
console.log(JSON.stringify({ isa: info().isa, results }));
