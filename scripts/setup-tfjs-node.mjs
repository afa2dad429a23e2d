/**
 * Installs @tensorflow/tfjs-node into node_modules without touching package.json or the lock file.
 *
 * First the package's own way: its install script downloads libtensorflow. Where that host is out of reach, the addon is
 * built against the libtensorflow inside the `tensorflow-cpu` Python wheel, which pip brings. Unpacked libraries and the
 * built addon are kept in a cache folder, so a second checkout takes seconds.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '4.22.0';
/** Of the Python wheel with libtensorflow; where it cannot be had, another one is taken. */
const WHEEL_VERSION = '2.21.0';
const DOWNLOAD_LIMIT_MS = 300_000;

const HELP = `Usage: npm run setup:tfjs-node [-- options]

Installs @tensorflow/tfjs-node ${VERSION} into node_modules; package.json and the lock file stay as they are.
Where its own download of libtensorflow fails, it is built from the tensorflow-cpu Python wheel (needs python3 with pip
and a C++ compiler; Linux x64 and arm64).

Options:
  --check         only say whether tfjs-node works; exit code 1 if not
  --from-wheel    skip the download and build from the wheel
  --help          show this

Environment:
  LEARNED_OPTIMIZER_CACHE    folder for unpacked libraries and the built addon (about 900 MB);
                             default: learned-optimizer in the user's cache folder
  PYTHON                     Python interpreter, default python3`;

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'node_modules', '@tensorflow', 'tfjs-node');
const binding = join(target, 'lib', 'napi-v8', 'tfjs_binding.node');
const python = process.env.PYTHON ?? 'python3';
const cache =
  process.env.LEARNED_OPTIMIZER_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'learned-optimizer');

class SetupError extends Error {}

/** Trains one step on tfjs-node in a process of its own; returns what it said, null if it works. */
function problem() {
  if (!existsSync(target)) return 'node_modules/@tensorflow/tfjs-node is not there';
  if (!existsSync(binding)) return 'its addon (lib/napi-v8/tfjs_binding.node) is not there';
  const code = `
    const util = require('node:util');
    util.isNullOrUndefined ??= (v) => v === null || v === undefined;
    util.isArray ??= Array.isArray;
    const tf = require('@tensorflow/tfjs-node');
    const x = tf.variable(tf.tensor1d([1, 2, 3]));
    tf.train.sgd(0.1).minimize(() => tf.sum(tf.square(x)));
    const ok = tf.getBackend() === 'tensorflow' && Math.abs(x.dataSync()[2] - 2.4) < 1e-6;
    console.log(ok ? 'works: TensorFlow ' + tf.backend().binding.TF_Version : 'wrong result');
    process.exit(ok ? 0 : 1);`;
  const result = spawnSync(process.execPath, ['-e', code], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  if (result.status === 0) {
    console.log(`tfjs-node ${VERSION} ${result.stdout.trim()}`);
    return null;
  }
  return `it does not run: ${(result.stderr || result.stdout).trim().split('\n').slice(0, 6).join('\n')}`;
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', cwd: root, maxBuffer: 1 << 28, ...options });
  if (result.error) throw new SetupError(`${command}: ${result.error.message}`);
  if (result.status !== 0) {
    const output = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-25).join('\n');
    throw new SetupError(`${command} ${args.join(' ')} failed (${result.signal ?? result.status}):\n${output}`);
  }
  return result.stdout;
}

function npm(args, options) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? run(process.execPath, [cli, ...args], options) : run('npm', args, options);
}

function installPackage() {
  if (existsSync(join(target, 'package.json'))) return;
  console.log(`Installing @tensorflow/tfjs-node ${VERSION} …`);
  // As the optional peer that it is, npm would not install it.
  npm([
    'install',
    '--no-save',
    '--save-dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    `@tensorflow/tfjs-node@${VERSION}`,
  ]);
}

function ownDownload() {
  console.log('Running its install script (downloads libtensorflow) …');
  const result = spawnSync(process.execPath, ['scripts/install.js'], {
    cwd: target,
    encoding: 'utf8',
    timeout: DOWNLOAD_LIMIT_MS,
    env: { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH}` },
  });
  return result.status === 0 && existsSync(binding);
}

/** Unpacks libtensorflow and its headers from the wheel into the cache; returns the folder. */
function unpackWheel() {
  const ready = existsSync(cache) ? readdirSync(cache).filter((name) => /^tensorflow-[\d.]+$/.test(name)) : [];
  const wanted = `tensorflow-${WHEEL_VERSION}`;
  if (ready.length > 0) return join(cache, ready.includes(wanted) ? wanted : ready[0]);
  mkdirSync(cache, { recursive: true });
  const work = join(cache, `unpack-${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'wheel'), { recursive: true });
  try {
    console.log('Fetching the tensorflow-cpu wheel with pip …');
    const download = (wheel) =>
      run(python, ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', join(work, 'wheel'), wheel]);
    try {
      download(`tensorflow-cpu==${WHEEL_VERSION}`);
    } catch {
      console.log(`There is no tensorflow-cpu ${WHEEL_VERSION} for this Python; taking its newest …`);
      download('tensorflow-cpu');
    }
    const wheel = readdirSync(join(work, 'wheel')).find((name) => name.endsWith('.whl'));
    const version = /^tensorflow_cpu-([\d.]+)-/.exec(wheel ?? '')?.[1];
    if (!version) throw new SetupError(`pip brought no tensorflow_cpu wheel, but: ${wheel ?? 'nothing'}`);
    console.log(`Unpacking libtensorflow ${version} …`);
    const unpack = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for name in wheel.namelist():
        if name.startswith('tensorflow/include/') or name in (
                'tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'):
            wheel.extract(name, sys.argv[2])
`;
    run(python, ['-c', unpack, join(work, 'wheel', wheel), work]);
    const deps = join(work, 'deps');
    mkdirSync(join(deps, 'lib'), { recursive: true });
    renameSync(join(work, 'tensorflow', 'include'), join(deps, 'include'));
    for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) {
      renameSync(join(work, 'tensorflow', name), join(deps, 'lib', name));
    }
    symlinkSync('libtensorflow_cc.so.2', join(deps, 'lib', 'libtensorflow.so'));
    symlinkSync('libtensorflow_cc.so.2', join(deps, 'lib', 'libtensorflow.so.2'));
    symlinkSync('libtensorflow_framework.so.2', join(deps, 'lib', 'libtensorflow_framework.so'));
    const finished = join(cache, `tensorflow-${version}`);
    if (!existsSync(finished)) renameSync(deps, finished);
    return finished;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** node-gyp downloads Node's headers unless they lie beside the executable or the user named a folder. */
function headerArguments() {
  if (process.env.npm_config_nodedir) return [`--nodedir=${process.env.npm_config_nodedir}`];
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

function linkLibraries(libraries) {
  rmSync(join(target, 'deps'), { recursive: true, force: true });
  symlinkSync(libraries, join(target, 'deps'), 'dir');
}

/** Compiles tfjs-node's addon against the libraries, in a copy of its folder; returns the addon in the cache. */
function compileBinding(libraries) {
  const built = join(libraries, `tfjs_binding-${VERSION}.node`);
  if (existsSync(built)) return built;
  console.log('Compiling the addon of tfjs-node …');
  const gyp = join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  run(
    process.execPath,
    [
      gyp,
      'rebuild',
      '--module=' + binding,
      '--module_name=tfjs_binding',
      `--module_path=${dirname(binding)}`,
      '--napi_version=8',
      '--napi_build_version=8',
      ...headerArguments(),
    ],
    { cwd: target },
  );
  rmSync(join(target, 'build'), { recursive: true, force: true });
  const fresh = `${built}.${process.pid}`;
  cpSync(binding, fresh);
  renameSync(fresh, built);
  return built;
}

function fromWheel() {
  if (process.platform !== 'linux') {
    throw new SetupError(
      'its download failed, and building from the wheel works on Linux only; check the network and run ' +
        '`npm install --no-save @tensorflow/tfjs-node`',
    );
  }
  const libraries = unpackWheel();
  linkLibraries(libraries);
  const built = compileBinding(libraries);
  mkdirSync(dirname(binding), { recursive: true });
  if (built !== binding) copyFileSync(built, binding);
}

function main(args) {
  if (args.includes('--help')) return void console.log(HELP);
  const unknown = args.find((arg) => !['--check', '--from-wheel'].includes(arg));
  if (unknown) throw new SetupError(`unknown option ${unknown}; see --help`);
  let trouble = problem();
  if (trouble === null) return;
  if (args.includes('--check')) throw new SetupError(`${trouble}\nRun: npm run setup:tfjs-node`);
  installPackage();
  if (!args.includes('--from-wheel') && ownDownload()) {
    trouble = problem();
    if (trouble === null) return;
    console.log(`After its own install script, ${trouble}`);
  }
  console.log('Building tfjs-node from the tensorflow-cpu wheel instead.');
  fromWheel();
  trouble = problem();
  if (trouble !== null) throw new SetupError(trouble);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`tfjs-node: ${error.message}`);
  process.exitCode = 1;
}
