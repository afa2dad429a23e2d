import type { Command } from 'commander';
import { AddressError, CLUSTER_VARIABLE, findAddress } from '../cluster/address';
import type { ClusterAddress } from '../cluster/address';
import { EXIT, Interrupted, UsageError } from './exit';
import { onParentsWord } from './processes';

/** Options of the commands that take part in a cluster. */
export interface ClusterCommandOptions {
  cluster?: string | true;
  clusterFile?: string;
  clusterName?: string;
}

export function addClusterOptions(command: Command): Command {
  return command
    .option(
      '--cluster [url]',
      `Redis or Valkey of a cluster, such as redis://host:6379, with TLS rediss://; without a URL the one in ${CLUSTER_VARIABLE}`,
    )
    .option('--cluster-file <file>', 'a file that holds the URL, such as a secret of a container')
    .option('--cluster-name <name>', 'prefix of its keys, where several clusters share a Redis');
}

/** @throws {UsageError} if there is no address or it cannot be used */
export function addressOf({ cluster, clusterFile, clusterName }: ClusterCommandOptions): ClusterAddress {
  if (clusterName !== undefined && !/^[\w.-]{1,100}$/.test(clusterName)) {
    throw new UsageError(`--cluster-name: expected letters, digits, dots and hyphens, got ${clusterName}`);
  }
  try {
    const address = findAddress({ cluster, clusterFile }, process.env);
    if (address) return address;
  } catch (error) {
    if (error instanceof AddressError) throw new UsageError(error.message);
    throw error;
  }
  throw new UsageError(
    `--cluster: expected a URL such as redis://host:6379, or one in the environment variable ${CLUSTER_VARIABLE}, got none`,
  );
}

/** The longest that a timer can wait, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Signals within so long are one: whoever ends a group of processes reaches one twice if another passes it on, as npm does. */
const ONE_WORD_SECONDS = 0.5;

/** A timer that may wait for months, and that the process does not stay for. */
function after(milliseconds: number, what: () => void): void {
  const left = milliseconds - LONGEST_TIMER;
  setTimeout(() => (left > 0 ? after(left, what) : what()), Math.min(milliseconds, LONGEST_TIMER)).unref();
}

/**
 * The signal, aborted by SIGTERM too: that is how containers are stopped. A second one of either kind ends the process.
 * @param minutes aborted after so long as well
 */
export function endOnSigterm(signal: AbortSignal, minutes?: number): AbortSignal {
  // Not AbortSignal.any: Node 20 may collect a signal of it as garbage, and then it never comes.
  const controller = new AbortController();
  const stop = (): void => controller.abort(new Interrupted('stopped'));
  let first: number | undefined;
  const onSignal = (): void => {
    first ??= performance.now();
    // Not left to the default action, which the first process of a container does not have.
    if (performance.now() - first > 1000 * ONE_WORD_SECONDS) process.exit(EXIT.interrupted);
    controller.abort(signal.aborted ? signal.reason : new Interrupted('stopped'));
  };
  process.on('SIGTERM', onSignal);
  signal.addEventListener('abort', onSignal);
  if (signal.aborted) onSignal();
  onParentsWord(stop);
  if (minutes !== undefined) after(60_000 * minutes, stop);
  return controller.signal;
}
