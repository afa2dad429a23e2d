/** Replays all golden files in float32 with the instruction set of `LEARNED_OPTIMIZER_ISA`; prints the deviations as JSON. */
import { info } from '../../lib/index';
import { goldenFiles } from './files';
import { replay } from './replay';

const results = goldenFiles().map((golden) => ({ file: golden.file, deviations: replay(golden, 'float32') }));
console.log(JSON.stringify({ isa: info().isa, results }));
