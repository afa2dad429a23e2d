/**
 * The opt-in package learned-optimizer-cuda: the CUDA library, which learned-optimizer finds where both are installed
 * (lib/optimizer/cudaLibrary.ts). No code of it runs.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NAME = 'learned-optimizer-cuda';

const README = `# ${NAME}

The CUDA library of \`learned-optimizer\`, for Linux x64 with glibc and NVIDIA devices of compute capability 7.5 or newer. Install
it beside that package, in the same version:

    npm install learned-optimizer ${NAME}

    createOptimizer(params, { device: 'cuda' })

\`info().cuda\` says whether CUDA can be used, or exactly why not. It needs NVIDIA's driver, and no CUDA toolkit: CUDA's runtime is
linked into the library (© NVIDIA Corporation, redistributed under the licence of the CUDA toolkit).
`;

/** Makes the folder of the package in `out`. Returns its path. */
function stage(root, library, out) {
  const { version, license, engines, repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const folder = join(out, NAME);
  const file = `learned_optimizer_cuda${process.platform === 'win32' ? '.dll' : '.so'}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(library, join(folder, file));
  for (const name of ['LICENSE', 'NOTICE']) cpSync(join(root, name), join(folder, name));
  writeFileSync(join(folder, 'README.md'), README);
  writeFileSync(
    join(folder, 'index.cjs'),
    `// The path of the library.\nmodule.exports = require('node:path').join(__dirname, '${file}');\n`,
  );
  const manifest = {
    name: NAME,
    version,
    description: 'The CUDA library of learned-optimizer.',
    license,
    ...(repository && { repository }),
    engines,
    os: [process.platform],
    cpu: [process.arch],
    ...(process.platform === 'linux' && { libc: ['glibc'] }),
    main: 'index.cjs',
    library: file,
    files: [file, 'index.cjs', 'NOTICE'],
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return folder;
}

/** Stages and packs; prints what went in. Returns the exit code. */
export function packCuda(root, library, out) {
  if (!existsSync(library)) {
    console.error(`build-cuda: ${library} does not exist`);
    return 1;
  }
  const folder = stage(root, library, out);
  const packed = spawnSync('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', out], {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (packed.status !== 0) {
    console.error(`build-cuda: npm pack failed:\n${packed.stdout}${packed.stderr}`);
    return 1;
  }
  const [{ filename, size, files }] = JSON.parse(packed.stdout);
  console.log(`${join(out, filename)}: ${(size / 1000).toFixed(1)} kB`);
  for (const file of files) console.log(`${(file.size / 1000).toFixed(1).padStart(10)} kB  ${file.path}`);
  return 0;
}
