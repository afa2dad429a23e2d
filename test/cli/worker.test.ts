import { describe, expect, it } from 'vitest';
import { cli } from './run';

describe('worker', { timeout: 60_000 }, () => {
  it('teaches with --help', async () => {
    const { code, stdout } = await cli(['worker', '--help']);
    expect(code).toBe(0);
    for (const word of ['--cluster [url]', 'LEARNED_OPTIMIZER_CLUSTER', '--processes', 'SIGTERM', 'Examples:']) {
      expect(stdout).toContain(word);
    }
  });

  it('says what is wrong with the address, and where nothing listens', async () => {
    const none = await cli(['worker'], { LEARNED_OPTIMIZER_CLUSTER: '' });
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/--cluster: expected a URL .* got none/)]);
    const long = await cli(['worker', '--lock-seconds', '1e7']);
    expect([long.code, long.stderr]).toEqual([2, expect.stringMatching(/--lock-seconds.*Expected.*at most 86400/)]);
    const secret = await cli(['worker', '--cluster', 'redis://:hunter2@127.0.0.1:1', '--processes', '1']);
    expect([secret.code, secret.stderr]).toEqual([2, expect.stringMatching(/expected a URL without a password/)]);
    const silent = await cli(['worker', '--processes', '1', '--json'], {
      LEARNED_OPTIMIZER_CLUSTER: 'redis://:hunter2@127.0.0.1:1',
    });
    expect([silent.code, silent.stderr]).toEqual([
      1,
      expect.stringMatching(
        /expected a Redis or Valkey at redis:\/\/127\.0\.0\.1:1, but connecting failed: .*ECONNREFUSED/,
      ),
    ]);
    expect(secret.stderr + silent.stderr + silent.stdout).not.toContain('hunter2');
  });
});
