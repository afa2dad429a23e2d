/**
 * Builds the native addon into build/Release: with cmake-js where CMake is, else with node-gyp. Where neither can work, one
 * message says what is missing and how to get it. Run by `npm install` in a checkout; the published packages never build.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const HELP = `Usage: node scripts/build.mjs [--with cmake|gyp] [--debug]

  --with cmake|gyp   build with cmake-js or with node-gyp; default: cmake-js if CMake is usable, else node-gyp
  --debug            build into build/Debug, and remove build/Release, which would be loaded first
  --help             show this
`;
/** The oldest CMake that CMakeLists.txt accepts. */
const OLDEST_CMAKE = [3, 15];

/** Path of a program on PATH, or undefined. */
export function findTool(name, env, platform) {
  const extensions = platform === 'win32' ? (env.PATHEXT ?? '.EXE;.CMD;.BAT').split(';') : [''];
  for (const folder of (env.PATH ?? env.Path ?? '').split(delimiter).filter(Boolean)) {
    for (const extension of extensions) {
      const file = join(folder, name + extension);
      if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
    }
  }
  return undefined;
}

/** What a program prints, or undefined if it does not run. */
function output(command, args, env) {
  const { status, stdout } = spawnSync(command, args, { env, encoding: 'utf8' });
  return status === 0 ? stdout : undefined;
}

function usableCMake(env, platform) {
  const cmake = findTool('cmake', env, platform);
  const version = cmake && /(\d+)\.(\d+)/.exec(output(cmake, ['--version'], env) ?? '');
  if (!version) return false;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  return major > OLDEST_CMAKE[0] || (major === OLDEST_CMAKE[0] && minor >= OLDEST_CMAKE[1]);
}

function hasCompiler(env, platform) {
  if (platform === 'win32') {
    if (findTool('cl', env, platform)) return true;
    const folder = env['ProgramFiles(x86)'] ?? 'C:\\Program Files (x86)';
    const vswhere = join(folder, 'Microsoft Visual Studio', 'Installer', 'vswhere.exe');
    const tools = ['-products', '*', '-requires', 'Microsoft.VisualStudio.Component.VC.Tools.x86.x64'];
    return Boolean(output(vswhere, ['-latest', ...tools, '-property', 'installationPath'], env)?.trim());
  }
  // On macOS the programs in /usr/bin only offer to install the developer tools when these are absent.
  if (platform === 'darwin' && output('/usr/bin/xcode-select', ['-p'], env) === undefined) return false;
  // CXX may carry flags or a launcher ("ccache g++"); an absolute path is not on PATH.
  const chosen = env.CXX?.trim().split(/\s+/)[0];
  const found = (name) => findTool(name, env, platform) !== undefined || (name.includes('/') && existsSync(name));
  return (chosen ? [chosen] : ['c++', 'g++', 'clang++']).some(found);
}

/** Whether some Python 3 runs: a name on PATH may be a stub that only offers to install it. */
function hasPython(env, platform) {
  const chosen = env.npm_config_python ?? env.PYTHON;
  const names = chosen ? [chosen] : ['python3', 'python', ...(platform === 'win32' ? ['py'] : [])];
  return names.some((name) => {
    const file = findTool(name, env, platform) ?? (existsSync(name) ? name : undefined);
    return file !== undefined && /Python 3/.test(output(file, ['--version'], env) ?? '');
  });
}

/** Looks for the tools of both builds. */
export function probe(env = process.env, platform = process.platform) {
  const found = (...names) => names.some((name) => findTool(name, env, platform) !== undefined);
  const windows = platform === 'win32';
  return {
    compiler: hasCompiler(env, platform),
    cmake: usableCMake(env, platform),
    // On Windows both builds drive Visual Studio's own build program.
    ninja: windows || found('ninja'),
    make: windows || found('make'),
    python: hasPython(env, platform),
  };
}

/** Chooses the builder for the tools at hand, or lists what is missing. `requested` is 'cmake', 'gyp' or undefined. */
export function plan(tools, requested) {
  const missing = {
    cmake: [
      !tools.compiler && 'a C++17 compiler',
      !tools.cmake && `CMake ${OLDEST_CMAKE.join('.')} or newer`,
      !tools.ninja && !tools.make && 'Ninja or make',
    ].filter(Boolean),
    gyp: [!tools.compiler && 'a C++17 compiler', !tools.python && 'Python 3', !tools.make && 'make'].filter(Boolean),
  };
  const builder = (requested ? [requested] : ['cmake', 'gyp']).find((name) => missing[name].length === 0);
  // With a free choice only the tools that make the shorter way work are asked for.
  const shorter = missing.cmake.length < missing.gyp.length ? missing.cmake : missing.gyp;
  return builder ? { builder, missing: [] } : { builder: undefined, missing: requested ? missing[requested] : shorter };
}

/** One message: what is missing and how to get it on each system. */
export function missingToolsMessage(missing) {
  return `learned-optimizer: the native addon cannot be built here. Missing: ${missing.join(', ')}.
Install the tools, then run: npm run build:native
  Debian, Ubuntu:  sudo apt-get install g++ make cmake python3
  Fedora:          sudo dnf install gcc-c++ make cmake python3
  Alpine:          apk add g++ make cmake python3
  macOS:           xcode-select --install
  Windows:         winget install Microsoft.VisualStudio.2022.BuildTools, with "Desktop development with C++"; and Python 3
Node programs that only use the optimizer need no compiler: npm install learned-optimizer brings a built addon.`;
}

/** Path of the script behind a development dependency's command. */
function commandOf(name) {
  const require = createRequire(import.meta.url);
  let manifest;
  try {
    manifest = require.resolve(`${name}/package.json`);
  } catch {
    throw new Error(
      `learned-optimizer: ${name} is not installed. Run: npm ci (with development dependencies, without --omit=dev)`,
    );
  }
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[name]);
}

/** Folder with the headers of the running Node, if its installation has them: then nothing is downloaded. */
function nodeHeaders() {
  const prefix = resolve(process.execPath, '..', '..');
  const file = join(prefix, 'include', 'node', 'node_version.h');
  if (!existsSync(file)) return undefined;
  const header = readFileSync(file, 'utf8');
  const number = (name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(header)?.[1];
  return `v${number('MAJOR')}.${number('MINOR')}.${number('PATCH')}` === process.version ? prefix : undefined;
}

/** The commands of a build, each as arguments of Node. */
function commands(builder, configuration) {
  const debug = configuration === 'Debug' ? ['--debug'] : [];
  if (builder === 'cmake') {
    const cmakeJs = commandOf('cmake-js');
    // Configured every time: the version in package.json is compiled in, and CMake does not see it change.
    return ['configure', 'build'].map((step) => [cmakeJs, step, ...debug]);
  }
  const headers = process.env.npm_config_nodedir ? undefined : nodeHeaders();
  const nodedir = headers ? [`--nodedir=${headers}`] : [];
  return [[commandOf('node-gyp'), 'configure', 'build', '--jobs=max', ...debug, ...nodedir]];
}

/** Runs a build, quiet unless it fails. Returns the exit code. */
function build(builder, configuration) {
  const folder = join(root, 'build');
  const steps = commands(builder, configuration);
  // A folder configured by the other builder confuses both.
  if (existsSync(join(folder, builder === 'cmake' ? 'config.gypi' : 'CMakeCache.txt'))) {
    rmSync(folder, { recursive: true, force: true });
  }
  const started = performance.now();
  let log = '';
  for (const step of steps) {
    const { status, stdout, stderr } = spawnSync(process.execPath, step, {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    log += `$ ${step.map((word) => relative(root, word) || word).join(' ')}\n${stdout}${stderr}`;
    if (status !== 0) {
      console.error(`${log}\nlearned-optimizer: the native addon did not build (${builder}); the log is above`);
      return 1;
    }
  }
  const addon = join(folder, configuration, 'learned_optimizer.node');
  if (configuration === 'Debug') rmSync(join(folder, 'Release', 'learned_optimizer.node'), { force: true });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`built ${relative(root, addon)} with ${builder === 'cmake' ? 'CMake' : 'node-gyp'} in ${seconds} s`);
  return 0;
}

function main(args) {
  const rest = [...args];
  let requested;
  let configuration = 'Release';
  while (rest.length > 0) {
    const argument = rest.shift();
    if (argument === '--help') {
      console.log(HELP);
      return 0;
    }
    if (argument === '--debug') configuration = 'Debug';
    else if (argument === '--with' && ['cmake', 'gyp'].includes(rest[0])) requested = rest.shift();
    else {
      console.error(`unexpected argument '${argument}'\n${HELP}`);
      return 2;
    }
  }
  const { builder, missing } = plan(probe(), requested);
  if (!builder) {
    console.error(missingToolsMessage(missing));
    return 1;
  }
  try {
    return build(builder, configuration);
  } catch (error) {
    console.error(error.message);
    return 1;
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url))
  process.exitCode = main(process.argv.slice(2));
