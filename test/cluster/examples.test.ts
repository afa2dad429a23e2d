import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { createProgram } from '../../lib/cli/program';
import { root } from '../cli/run';

const program = createProgram({ streams: { out: process.stdout, err: process.stderr }, signal: AbortSignal.abort() });
const read = (name: string): unknown[] =>
  parseAllDocuments(readFileSync(join(root, 'examples', 'cluster', name), 'utf8'), { uniqueKeys: true }).map(
    (document) => {
      expect([...document.errors, ...document.warnings]).toEqual([]);
      return document.toJS() as unknown;
    },
  );

/** All strings in a value. */
function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : [];
}

/** Lists of strings in a value: command lines among them. */
function lists(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  const own = Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? [value] : [];
  return [...own, ...Object.values(value).flatMap(lists)];
}

/** Command lines of this package, without its name. */
function commandLines(value: unknown): string[][] {
  const inScripts = strings(value).flatMap((text) =>
    [...text.matchAll(/exec learned-optimizer ([^;]+);/g)].map(([, line]) => line.split(' ')),
  );
  return [...inScripts, ...lists(value).filter(([first]) => first === 'worker')];
}

describe('the examples of clusters', () => {
  it.each([
    ['compose.yaml', 3],
    ['kubernetes.yaml', 3],
  ])('%s is YAML, and its commands have options that exist', (name, count) => {
    const lines = read(name).flatMap(commandLines);
    expect(lines).toHaveLength(count);
    for (const [command, ...args] of lines) {
      const known = program.commands.find((candidate) => candidate.name() === command)!.options.map(({ long }) => long);
      expect(known).toEqual(expect.arrayContaining(args.filter((arg) => arg.startsWith('--'))));
    }
  });

  it('compose.yaml has secrets, volumes and services for all that it names', () => {
    const [compose] = read('compose.yaml') as [Record<string, Record<string, unknown>>];
    type Service = { secrets?: string[]; depends_on?: string[]; volumes?: string[] };
    for (const service of Object.values(compose['services']) as Service[]) {
      expect(Object.keys(compose['secrets'])).toEqual(expect.arrayContaining(service.secrets ?? []));
      expect(Object.keys(compose['services'])).toEqual(expect.arrayContaining(service.depends_on ?? []));
    }
    expect(Object.keys(compose['services'])).toEqual(['queue', 'coordinator', 'worker']);
  });

  it('kubernetes.yaml mounts what its pods have, and its selectors find its pods', () => {
    type Pod = { volumes?: { name: string }[]; containers: { volumeMounts?: { name: string }[] }[] };
    type Resource = {
      kind: string;
      spec: {
        selector?: { matchLabels: object };
        template?: { metadata: { labels: object }; spec: Pod };
        volumeClaimTemplates?: { metadata: { name: string } }[];
      };
    };
    const resources = read('kubernetes.yaml') as Resource[];
    expect(resources.map(({ kind }) => kind)).toEqual([
      ...['Service', 'StatefulSet', 'NetworkPolicy', 'PersistentVolumeClaim', 'Job', 'Deployment'],
    ]);
    for (const { kind, spec } of resources) {
      if (!spec.template) continue;
      const { volumes = [], containers } = spec.template.spec;
      const claims = spec.volumeClaimTemplates ?? [];
      const there = [...volumes.map(({ name }) => name), ...claims.map(({ metadata }) => metadata.name)];
      for (const { volumeMounts = [] } of containers) {
        expect(there).toEqual(expect.arrayContaining(volumeMounts.map(({ name }) => name)));
      }
      if (kind !== 'Job') expect(spec.selector!.matchLabels).toEqual(spec.template.metadata.labels);
    }
  });
});
