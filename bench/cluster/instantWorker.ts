/** A worker that answers at once: every family's first part is computed, all others are that one again. */
import { parseAddress } from '../../lib/cluster/address';
import { Computer } from '../../lib/cluster/computer';
import { decodePart, decodeState, encodePart } from '../../lib/cluster/payloads';
import { ClusterWorker } from '../../lib/cluster/worker';
import type { EstimatorState, TruncationResult } from '../../lib/meta/estimator';

const computer = new Computer(undefined);
const known = new Map<number, { result: TruncationResult; state: EstimatorState }>();

const worker = await ClusterWorker.start({
  address: parseAddress(process.env['CLUSTER_URL']!, 'bench'),
  lockSeconds: 30,
  compute: {
    has: () => Promise.resolve(true),
    compute: async ({ job, id, metaParameters }) => {
      let part = known.get(job.family);
      if (!part) {
        const bytes = await computer.compute({ job: { ...job, state: undefined }, id, metaParameters });
        part = { result: decodePart(bytes, id, metaParameters.length), state: decodeState(bytes) };
        known.set(job.family, part);
      }
      return encodePart(id, part.result, part.state);
    },
    close: () => computer.close(),
  },
});
process.on('SIGTERM', () => void worker.close().then(() => process.exit(0)));
