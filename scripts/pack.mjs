/**
 * Makes what is published, in build-pack/: the main package, which has no compiled code and no install scripts, and the
 * package of one platform with its compiled addon. `npm publish` takes the tarballs. Run: npm run pack
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tsImport } from 'tsx/esm/api';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

/** Platforms for which an addon is published, by the names that the loader uses. */
const PLATFORMS = {
  'linux-x64': { os: ['linux'], cpu: ['x64'], libc: ['glibc'] },
  'linux-x64-musl': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  'linux-arm64': { os: ['linux'], cpu: ['arm64'], libc: ['glibc'] },
  'linux-arm64-musl': { os: ['linux'], cpu: ['arm64'], libc: ['musl'] },
  'darwin-x64': { os: ['darwin'], cpu: ['x64'] },
  'darwin-arm64': { os: ['darwin'], cpu: ['arm64'] },
  'win32-x64': { os: ['win32'], cpu: ['x64'] },
};
/** Parts of the manifest that belong to the checkout. */
const CHECKOUT_ONLY = ['scripts', 'devDependencies', 'overrides', 'binary', 'gypfile'];
const HELP = `Usage: npm run pack [-- --out FOLDER] [--platform NAME --addon FILE]

  --out FOLDER       where to stage and pack; default: build-pack
  --platform NAME    platform of the addon; default: this machine's. One of ${Object.keys(PLATFORMS).join(', ')}
  --addon FILE       the compiled addon; default: build/Release/learned_optimizer.node
`;

class Failure extends Error {}

function run(command, args, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status !== 0)
    throw new Failure(`${command} ${args.join(' ')} failed:\n${error?.message ?? `${stdout}${stderr}`}`);
  return stdout;
}

/** Sources of converted weights, and an example that uses files of lib/, which is not in the package. */
const CHECKOUT_FOLDERS = [join(root, 'weights', 'source'), join(root, 'examples', 'imagenet')];

function copy(names, folder) {
  for (const name of names) {
    if (!existsSync(join(root, name))) throw new Failure(`${name} is missing in the checkout`);
    const filter = (source) => !CHECKOUT_FOLDERS.includes(source);
    cpSync(join(root, name), join(folder, name), { recursive: true, filter });
  }
}

const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

/** The main package: the checkout's manifest with the addons of all platforms as optional dependencies. */
function stageMain(folder, manifest) {
  mkdirSync(folder, { recursive: true });
  run(process.execPath, [join(root, 'node_modules/tsup/dist/cli-default.js'), '--out-dir', join(folder, 'dist')]);
  copy(['weights', 'data', 'examples', 'README.md', 'LICENSE', 'NOTICE'], folder);
  // Made by a tool: docs/api; only of interest in a checkout: docs/results.
  const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  copy(
    pages.map((name) => `docs/${name}`),
    folder,
  );
  const published = { ...manifest };
  for (const key of CHECKOUT_ONLY) delete published[key];
  published.optionalDependencies = Object.fromEntries(
    Object.keys(PLATFORMS).map((name) => [`@learned-optimizer/${name}`, manifest.version]),
  );
  writeJson(join(folder, 'package.json'), published);
}

/** An addon of another version would be refused by the loader, at every user's. */
function checkAddon(file, { version }) {
  if (!existsSync(file)) throw new Failure(`${file} is missing: run npm run build:native first`);
  const built = require(file).version;
  if (built !== version) {
    throw new Failure(`${file} has version ${built}, package.json has ${version}: run npm run build:native`);
  }
}

function stagePlatform(folder, manifest, platform, addon) {
  mkdirSync(folder, { recursive: true });
  const target = join(folder, 'learned_optimizer.node');
  cpSync(addon, target);
  const { os } = PLATFORMS[platform];
  const strip = process.env.STRIP ?? 'strip';
  if (os[0] !== 'win32') run(strip, [os[0] === 'darwin' ? '-x' : '--strip-unneeded', target]);
  copy(['LICENSE'], folder);
  const { version, license, engines, repository } = manifest;
  const name = `@learned-optimizer/${platform}`;
  writeJson(join(folder, 'package.json'), {
    name,
    version,
    description: `The compiled addon of learned-optimizer for ${platform}.`,
    license,
    ...(repository && { repository }),
    engines,
    ...PLATFORMS[platform],
    main: 'learned_optimizer.node',
    files: ['learned_optimizer.node'],
  });
  writeFileSync(
    join(folder, 'README.md'),
    `# ${name}\n\nThe compiled addon of \`learned-optimizer\` for ${platform}. npm installs it with that package where it fits;\n` +
      'there is no need to install it by hand.\n',
  );
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1).padStart(8)} kB`;

/** Packs a staged folder and prints what went in. */
function pack(folder, out) {
  const [{ filename, size, unpackedSize, files }] = JSON.parse(
    run('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', out], folder),
  );
  console.log(`\n${join(out, filename)}: ${kilobytes(size).trim()} (${kilobytes(unpackedSize).trim()} unpacked)`);
  for (const file of files) console.log(`${kilobytes(file.size)}  ${file.path}`);
}

/**
 * The checkout's manifest builds on install and names no addon packages, so it must not be packed itself. npm runs this
 * as `prepack`: for `npm pack` and `npm publish`, and also for our own script `pack`, which goes on.
 */
function refuseCheckout() {
  if (process.env.npm_command?.startsWith('run')) return 0;
  console.error('learned-optimizer: a checkout is not packed or published as it is. Use: npm run pack');
  return 1;
}

async function main() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join(root, 'build-pack') },
      platform: { type: 'string' },
      addon: { type: 'string' },
      'refuse-checkout': { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values['refuse-checkout']) return refuseCheckout();
  const { platformName } = await tsImport('../bindings/load.ts', import.meta.url);
  const here = platformName();
  const platform = values.platform ?? here;
  if (!(platform in PLATFORMS)) {
    throw new Failure(`--platform: expected one of ${Object.keys(PLATFORMS).join(', ')}, got '${platform}'`);
  }
  if (platform !== here && !values.addon)
    throw new Failure(`--platform ${platform} is not this machine's: give --addon too`);
  const addon = resolve(values.addon ?? join(root, 'build', 'Release', 'learned_optimizer.node'));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  if (platform === here) checkAddon(addon, manifest);
  const out = resolve(values.out);
  const folders = { main: join(out, 'learned-optimizer'), platform: join(out, platform) };
  for (const folder of Object.values(folders)) rmSync(folder, { recursive: true, force: true });
  stageMain(folders.main, manifest);
  stagePlatform(folders.platform, manifest, platform, addon);
  for (const folder of Object.values(folders)) pack(folder, out);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  // What a person can mend is said without a stack trace.
  if (!(error instanceof Failure) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  console.error(`pack: ${error.message}`);
  process.exitCode = 1;
}
