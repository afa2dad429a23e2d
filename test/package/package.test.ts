import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cacheDependencies,
  emptyProject,
  link,
  pack,
  pathWithOnly,
  readManifest,
  root,
  run,
  succeed,
  type Packed,
} from './consumer';

/** One training run on plain arrays and one in TensorFlow.js, by whatever `load` is in scope; prints JSON. */
const TRAINING = `
  const { createOptimizer, info } = await load('learned-optimizer');
  const x = new Float32Array(100).fill(1);
  const optimizer = createOptimizer({ x });
  for (let step = 0; step < 200; step++) optimizer.step({ x: x.slice() });
  const tf = await load('@tensorflow/tfjs');
  await tf.setBackend('cpu');
  const { learnedOptimizer } = await load('learned-optimizer/tfjs');
  const model = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
  model.compile({ optimizer: learnedOptimizer(), loss: 'meanSquaredError' });
  const xs = tf.tensor2d([[0, 1], [1, 0], [1, 1], [0, 0]]);
  const { history } = await model.fit(xs, tf.tensor2d([[1], [2], [3], [0]]), { epochs: 300, verbose: 0 });
  console.log(JSON.stringify({ version: info().version, mean: x.reduce((a, b) => a + b) / 100, loss: history.loss }));
`;

let out: string;
let project: string;
let packed: Packed;
let noCompiler: NodeJS.ProcessEnv;

beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'lo-packed-'));
  packed = pack(out);
  project = emptyProject();
  noCompiler = { PATH: pathWithOnly(join(out, 'bin'), ['node', 'npm', 'sh']) };
  // Offline, because the addons of other platforms are in no registry while a version is not published. What the package
  // depends on must be in npm's cache for that.
  cacheDependencies(packed.main);
  succeed('npm', ['install', '--offline', '--ignore-scripts', ...packed.tarballs], project, noCompiler);
  link(project, ['@tensorflow/tfjs', '@tensorflow/tfjs-core', '@types/node', 'typescript']);
}, 120_000);

afterAll(() => {
  for (const folder of [out, project]) if (folder) rmSync(folder, { recursive: true, force: true });
});

describe('the published manifests', () => {
  it('run nothing on install and ask for no build tools', () => {
    for (const folder of [packed.main, packed.platform]) {
      const manifest = readManifest(folder);
      for (const key of ['scripts', 'devDependencies', 'gypfile', 'binary', 'overrides'])
        expect(manifest).not.toHaveProperty(key);
    }
    expect(readManifest(packed.main)['dependencies']).not.toHaveProperty('node-addon-api');
  });

  it('offer the addon of every platform as an optional dependency of the same version', () => {
    const { version, optionalDependencies } = readManifest(packed.main);
    const platforms = ['linux-x64', 'linux-x64-musl', 'linux-arm64', 'linux-arm64-musl', 'darwin-x64', 'darwin-arm64'];
    const names = [...platforms, 'win32-x64'].map((name) => `@learned-optimizer/${name}`);
    expect(optionalDependencies).toEqual(Object.fromEntries(names.map((name) => [name, version])));
  });

  it('name the platform of the addon, so that it is installed only there', () => {
    const manifest = readManifest(packed.platform);
    expect(manifest).toMatchObject({
      name: `@learned-optimizer/${packed.platformName}`,
      version: readManifest(packed.main)['version'],
      os: [process.platform],
      cpu: [process.arch],
      main: 'learned_optimizer.node',
    });
  });

  it('come with all files they point to, and no sources of their own', () => {
    const installed = join(project, 'node_modules', 'learned-optimizer');
    expect(readdirSync(installed).sort()).toEqual(
      ['LICENSE', 'NOTICE', 'README.md', 'data', 'dist', 'docs', 'examples', 'package.json', 'weights'].sort(),
    );
    const { exports, bin } = readManifest(installed) as { exports: object; bin: object };
    const targets = JSON.stringify([exports, bin])
      .match(/\.\/dist\/[\w.]+/g)!
      .map((file) => file.slice('./dist/'.length));
    expect(readdirSync(join(installed, 'dist'))).toEqual(expect.arrayContaining(targets));
    expect(readdirSync(join(installed, 'weights'))).not.toContain('source');
    // Its scripts import the package, not the files of a checkout.
    const scripts = readdirSync(join(installed, 'examples')).filter((name) => name.endsWith('.ts'));
    expect(scripts.length).toBeGreaterThan(5);
    for (const script of scripts) {
      expect(readFileSync(join(installed, 'examples', script), 'utf8')).not.toMatch(/from '\.\.\/\.\./);
    }
    expect(readdirSync(join(installed, 'examples'))).not.toContain('imagenet');
    const readme = readFileSync(join(installed, 'README.md'), 'utf8');
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link).filter((link) => !link.includes(':'));
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((link) => !existsSync(join(installed, link)))).toEqual([]);
  });
});

describe('installed without scripts and without a compiler', () => {
  const check = (stdout: string): void => {
    const { version, mean, loss } = JSON.parse(stdout) as { version: string; mean: number; loss: number[] };
    expect(version).toBe(readManifest(root)['version']);
    expect(mean).toBeLessThan(0.9);
    expect(loss.at(-1)).toBeLessThan(loss[0] / 2);
  };

  it('trains by import', () => {
    writeFileSync(join(project, 'train.mjs'), `const load = (name) => import(name);\n${TRAINING}`);
    check(succeed('node', ['train.mjs'], project, noCompiler));
  });

  it('trains by require', () => {
    writeFileSync(join(project, 'train.cjs'), `const load = require;\n(async () => {${TRAINING}})();`);
    check(succeed('node', ['train.cjs'], project, noCompiler));
  });

  it('trains by import and require in one process', () => {
    writeFileSync(
      join(project, 'both.mjs'),
      `import { createRequire } from 'node:module';
       const require = createRequire(import.meta.url);
       const imported = await import('learned-optimizer');
       const required = require('learned-optimizer');
       const train = ({ createOptimizer }) => {
         const x = new Float32Array(10).fill(1);
         const optimizer = createOptimizer([x]);
         for (let step = 0; step < 20; step++) optimizer.step([x.slice()]);
         return Array.from(x);
       };
       console.log(JSON.stringify([train(imported), train(required)]));`,
    );
    const [imported, required] = JSON.parse(succeed('node', ['both.mjs'], project, noCompiler)) as number[][];
    expect(imported[0]).toBeLessThan(1);
    expect(required).toEqual(imported);
  });

  it.each(['import', 'require'])('meta-trains on problems of your own by %s', (how) => {
    writeFileSync(
      join(project, 'bowls.mjs'),
      `import { defineObjective } from 'learned-optimizer/problems';
       const parameters = [{ name: 'x', shape: [4] }];
       const value = (theta) => theta.reduce((sum, x) => sum + x * x, 0);
       const gradient = (theta, out) => (theta.forEach((x, i) => (out[i] = 2 * x)), value(theta));
       const sample = () => defineObjective({ name: 'bowls', parameters, value, gradient });
       export default [{ name: 'bowls', parameters, sample }];`,
    );
    writeFileSync(
      join(project, 'metaTrain.cjs'),
      `(async () => {
         const meta = ${how === 'import' ? 'await import' : 'require'}('learned-optimizer/meta');
         const config = { ...meta.META_TRAINING_PRESETS.default, corpus: 'none', problems: ${JSON.stringify(join(project, 'bowls.mjs'))} };
         const losses = [];
         const { weights } = await meta.runMetaTraining({
           config: meta.scaleIterations(config, 1e-9), folder: 'meta-${how}', resume: false,
           threads: 1, logEvery: 1, snapshotEvery: 1, checkpointSeconds: 60,
           onLog: (entry) => losses.push(entry.losses),
         });
         console.log(JSON.stringify([losses, weights.architecture.parameterHidden]));
       })();`,
    );
    const [losses, hidden] = JSON.parse(succeed('node', ['metaTrain.cjs'], project, noCompiler)) as [object[], number];
    expect(losses.map((entry) => Object.keys(entry))).toEqual([['bowls'], ['bowls']]);
    expect(hidden).toBe(6);
  });

  it('has a working command', () => {
    const command = join('node_modules', '.bin', 'learned-optimizer');
    const { version } = JSON.parse(succeed(command, ['info', '--json'], project, noCompiler)) as { version: string };
    expect(version).toBe(readManifest(root)['version']);
  });
});

/** Runs a program in a copy of the project that lacks some packages. */
function runWithout(
  folders: readonly string[],
  program: string,
): { code: number | null; stderr: string; copy: string } {
  const copy = emptyProject();
  try {
    cpSync(join(project, 'node_modules'), join(copy, 'node_modules'), { recursive: true, verbatimSymlinks: true });
    for (const folder of folders) rmSync(join(copy, 'node_modules', folder), { recursive: true });
    writeFileSync(join(copy, 'program.mjs'), program);
    return { ...run('node', ['program.mjs'], copy, noCompiler), copy };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

describe('with packages missing', () => {
  it('needs no TensorFlow.js for plain arrays', () => {
    const { code, stderr } = runWithout(
      ['@tensorflow'],
      `import { createOptimizer } from 'learned-optimizer';
       createOptimizer([new Float32Array(2)]).step([new Float32Array(2)]);`,
    );
    expect(code, stderr).toBe(0);
  });

  it('says, without its platform package, what it tried and which command mends it', () => {
    const { code, stderr, copy } = runWithout(
      ['@learned-optimizer'],
      `import { info } from 'learned-optimizer';\ninfo();`,
    );
    const name = `@learned-optimizer/${packed.platformName}`;
    expect(code).toBe(1);
    expect(stderr).toContain(`could not load its native addon for ${packed.platformName}`);
    expect(stderr).toContain(join(copy, 'node_modules/learned-optimizer/build/Release/learned_optimizer.node'));
    expect(stderr).toContain(`${name}: Cannot find module`);
    expect(stderr).toContain(`npm install ${name}@${String(readManifest(root)['version'])}`);
  });
});

describe('types', () => {
  const PROGRAM = `
    import { createOptimizer, type OptimizerOptions, type StepReport } from 'learned-optimizer';
    import { learnedOptimizer } from 'learned-optimizer/tfjs';
    import { Optimizer } from '@tensorflow/tfjs-core';
    const options: OptimizerOptions = { clipNorm: 1 };
    const optimizer = createOptimizer({ w: new Float32Array(2) }, options);
    export const report: StepReport = optimizer.step({ w: new Float32Array(2) });
    export const tfOptimizer: Optimizer = learnedOptimizer(options);
    // @ts-expect-error a step needs Float32Arrays
    optimizer.step({ w: 'gradient' });
  `;

  it.each([
    ['node16', 'node16', 'program.mts'],
    ['node16', 'node16', 'program.cts'],
    ['bundler', 'esnext', 'program.ts'],
  ])('resolve with moduleResolution %s (module %s, %s)', (moduleResolution, module, file) => {
    writeFileSync(join(project, file), PROGRAM);
    const flags = ['--noEmit', '--strict', '--target', 'es2022', '--skipLibCheck', '--types', 'node'];
    const resolution = ['--module', module, '--moduleResolution', moduleResolution];
    succeed(process.execPath, ['node_modules/typescript/bin/tsc', ...flags, ...resolution, file], project);
  });
});

describe('the checkout', () => {
  it('refuses to be packed as it is, and names the command that packs', () => {
    const { code, stderr } = run('npm', ['pack', '--dry-run'], root);
    expect(code).not.toBe(0);
    expect(stderr).toContain('npm run pack');
  });
});
