/**
 * Trains with the instruction set that the environment names and prints, as JSON: the instruction set, and in hexadecimal
 * the state after 20 steps, the parameters then, and the parameters after 20 more.
 * Arguments: index of the weights in ARCHITECTURES.
 */
import { info } from '../../lib/index';
import { ARCHITECTURES, hex, resume, run } from './runs';

const current = run(20, { weights: ARCHITECTURES[Number(process.argv[2])][1] });
const state = hex(current.optimizer.saveState());
const parameters = current.parameters.map((p) => hex(p));
resume(current, 20);
console.log(JSON.stringify({ isa: info().isa, state, parameters, later: current.parameters.map((p) => hex(p)) }));
