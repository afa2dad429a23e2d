// Runs the command that made the default weights and compares its snapshot with the file that ships, byte for byte. Takes a
// few minutes; the same bits can be expected on the same kind of machine only, which is said where they differ.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { info, loadWeights, presets } from '../dist/index.js';

const MADE_ON = 'avx512';
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = process.argv[2] ?? 'build-ci/reproduce';
const { metadata } = loadWeights(presets()[0].name);
const { iteration } = JSON.parse(metadata.provenance);
const shipped = `${root}/weights/${metadata.name}.safetensors`;

if (existsSync(`${folder}/config.json`)) {
  console.error(`${folder} holds a run; remove it or name another folder: npm run reproduce:weights -- FOLDER`);
  process.exit(2);
}
const command = ['dist/cli.js', 'meta-train', '--no-validation', '--out', folder];
console.log(`node ${command.join(' ')}`);
const { status } = spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

const made = `${folder}/snapshots/${String(iteration).padStart(7, '0')}.safetensors`;
const hash = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
console.log(`${hash(shipped)}  ${metadata.name}, shipped\n${hash(made)}  ${made}`);
if (hash(shipped) === hash(made)) {
  console.log('the same, byte for byte');
} else {
  const { isa } = info();
  console.error(
    `not the same${isa === MADE_ON ? '' : `; the weights were made with ${MADE_ON}, this machine uses ${isa}`}`,
  );
  process.exit(1);
}
