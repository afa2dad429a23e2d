/**
 * Stop, save, go on later: parameters and optimizer state in files; the resumed run continues bit for bit.
 * Run: npx tsx examples/checkpoint-resume.ts
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOptimizer } from 'learned-optimizer';

// An ill-conditioned bowl: Σ cᵢ·(xᵢ − 1)², cᵢ from 1 to 100.
const size = 50;
const curvature = (i: number): number => 100 ** (i / (size - 1));
const gradient = (x: Float32Array): Float32Array => x.map((value, i) => 2 * curvature(i) * (value - 1));
const loss = (x: Float32Array): number => x.reduce((sum, value, i) => sum + curvature(i) * (value - 1) ** 2, 0);

const folder = mkdtempSync(join(tmpdir(), 'checkpoint-'));
try {
  // One run without a break, for comparison.
  const whole = new Float32Array(size);
  const uninterrupted = createOptimizer({ x: whole });
  for (let step = 0; step < 400; step++) uninterrupted.step({ x: gradient(whole) });

  // The first half, then a checkpoint: parameters and optimizer state belong together.
  const x = new Float32Array(size);
  const first = createOptimizer({ x });
  for (let step = 0; step < 200; step++) first.step({ x: gradient(x) });
  writeFileSync(join(folder, 'parameters.bin'), x);
  writeFileSync(join(folder, 'optimizer.safetensors'), first.saveState());
  first.dispose();
  console.log(`checkpoint after step 200: loss ${loss(x).toExponential(3)}`);

  // Later, in another process: the same names and sizes, then the state.
  const stored = new Uint8Array(readFileSync(join(folder, 'parameters.bin')));
  const restored = new Float32Array(stored.buffer);
  const second = createOptimizer({ x: restored });
  second.loadState(readFileSync(join(folder, 'optimizer.safetensors')));
  console.log(`resumed at step ${second.iterations}`);
  for (let step = 0; step < 200; step++) second.step({ x: gradient(restored) });
  console.log(`after step 400: loss ${loss(restored).toExponential(3)}`);
  const same = Buffer.from(restored.buffer).equals(Buffer.from(whole.buffer));
  console.log(same ? 'bit for bit the same as without the break' : 'DIFFERENT from the run without the break');
  second.dispose();
  uninterrupted.dispose();
} finally {
  rmSync(folder, { recursive: true });
}
