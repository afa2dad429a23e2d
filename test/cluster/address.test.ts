import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLUSTER_VARIABLE, findAddress, parseAddress } from '../../lib/cluster/address';

const secret = 's3cret/:@%#';
const url = `rediss://user:${encodeURIComponent(secret)}@queue.example:6380/2`;

describe('the address of a cluster', () => {
  it('is shown without its password, which disappears from any text', () => {
    const { shown, redact } = parseAddress(url, 'test');
    expect(shown).toBe('rediss://queue.example:6380/2');
    expect(redact(`AUTH user ${secret} failed at ${url}`)).toBe(
      'AUTH user *** failed at rediss://user:***@queue.example:6380/2',
    );
  });

  it('comes from the command line, a file or the environment, in this order', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cluster-address-'));
    const clusterFile = join(folder, 'url');
    writeFileSync(clusterFile, `${url}\n`);
    const environment = { [CLUSTER_VARIABLE]: 'redis://environment' };
    expect(findAddress({ cluster: 'redis://line', clusterFile }, environment)!.shown).toBe('redis://line');
    expect(findAddress({ cluster: true, clusterFile }, environment)!.url).toBe(url);
    expect(findAddress({ cluster: true }, environment)!.shown).toBe('redis://environment');
    expect(findAddress({ cluster: true }, {})).toBeUndefined();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['redis://:hunter2@host', /--cluster: expected a URL without a password.*LEARNED_OPTIMIZER_CLUSTER/],
    ['http://host', /begins with redis:\/\/ or, for TLS, rediss:\/\/, got http:/],
    ['host:6379', /begins with redis/],
    ['no url at all hunter2', /expected a URL such as redis:\/\/host:6379/],
    ['redis://host?password=hunter2', /expected a URL without \?/],
  ])('refuses %s without repeating a secret', (cluster, message) => {
    expect(() => findAddress({ cluster }, {})).toThrow(message);
    try {
      findAddress({ cluster }, {});
    } catch (error) {
      expect((error as Error).message).not.toContain('hunter2');
    }
  });
});
