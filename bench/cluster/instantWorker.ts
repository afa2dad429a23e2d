/**
 * A worker that has its answers ready: every family's first part is computed, all others are that one again. Arguments: the
 * cluster's name, and the milliseconds that all parts of an iteration take together, each by its share of the work.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../lib/cluster/address';
import { Computer } from '../../lib/cluster/computer';
import { blobOf, decodePart, encodePart } from '../../lib/cluster/payloads';
import type { Blob, Part } from '../../lib/cluster/payloads';
import { ClusterWorker } from '../../lib/cluster/worker';
import { familyCosts } from '../../lib/meta/workers';

const computer = new Computer(undefined);
const milliseconds = Number(process.argv[3]);
const known = new Map<number, { part: Part; state: Blob }>();

const worker = await ClusterWorker.start({
  address: parseAddress(process.env['CLUSTER_URL']!, 'bench'),
  name: process.argv[2],
  lockSeconds: 30,
  compute: {
    has: () => Promise.resolve(true),
    compute: async ({ job, id, metaParameters }) => {
      let first = known.get(job.family);
      if (!first) {
        const done = await computer.compute({ job: { ...job, state: undefined }, id, metaParameters });
        first = { part: decodePart(done.part.bytes, id, metaParameters.length), state: done.state };
        known.set(job.family, first);
      }
      if (milliseconds > 0) {
        const costs = familyCosts(job.shared);
        await sleep((milliseconds * costs[job.family]) / costs.reduce((a, b) => a + b, 0));
      }
      return { part: blobOf(encodePart(id, first.part)), state: first.state };
    },
    close: () => computer.close(),
  },
});
process.on('SIGTERM', () => void worker.close().then(() => process.exit(0)));
