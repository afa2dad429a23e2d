import { metaTrain } from '../lib/meta/trainer';
import { DEFAULT_META_TRAINING } from '../lib/meta/config';
import { encodeCheckpoint, decodeCheckpoint } from '../lib/meta/checkpoint';
import type { Checkpoint } from '../lib/meta/checkpoint';
const d = DEFAULT_META_TRAINING;
const config = { ...d, phases: d.phases.map((p) => ({ ...p, iterations: 12 })) };
const saved: Checkpoint[] = [];
const t0 = performance.now();
const a = await metaTrain({ config, threads: 2, async onProgress(p) {
  if ([6, 12, 18].includes(p.iteration)) saved.push(decodeCheckpoint(encodeCheckpoint(await p.checkpoint())));
  console.log(p.iteration, p.phase, p.seconds.toFixed(1), Math.round(p.innerSteps / p.seconds), Object.values(p.losses).map((x) => x.toFixed(2)).join(' '), p.gradientNorm.toFixed(2));
}});
console.log((performance.now()-t0)/1000);
for (const mid of saved) {
const b = await metaTrain({ config, resume: mid, threads: 1 });
console.log('same bits', Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0);
}
