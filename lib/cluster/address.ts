import { readFileSync } from 'node:fs';

/** Environment variable with the URL of the cluster's Redis; the place for one with a password. */
export const CLUSTER_VARIABLE = 'LEARNED_OPTIMIZER_CLUSTER';

/** Where the cluster's Redis is. */
export interface ClusterAddress {
  /** With everything that connecting needs, secrets too: never to be shown. */
  readonly url: string;
  /** Without secrets. */
  readonly shown: string;
  /** A text with the secrets replaced by ***. */
  redact(text: string): string;
}

/** The address was given in a way that cannot be used. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

function secretsOf(url: URL): string[] {
  const given = [url.password, decodeURIComponent(url.password)];
  // The longer first, or a part of it would stay.
  return [...new Set(given)].filter((secret) => secret !== '').sort((a, b) => b.length - a.length);
}

/**
 * Reads a URL.
 * @param source where it comes from, for messages
 * @throws {AddressError} saying what is wrong, without the URL, which may hold a secret
 */
export function parseAddress(text: string, source: string): ClusterAddress {
  let url: URL;
  try {
    url = new URL(text.trim());
    decodeURIComponent(url.password);
  } catch {
    throw new AddressError(
      `${source}: expected a URL such as redis://host:6379, got a text that is none; a password's special characters are written as in encodeURIComponent`,
    );
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw new AddressError(
      `${source}: expected a URL that begins with redis:// or, for TLS, rediss://, got ${url.protocol}//`,
    );
  }
  if (url.hostname === '') throw new AddressError(`${source}: expected a URL with a host, such as redis://host:6379`);
  if (url.search !== '' || url.hash !== '') {
    throw new AddressError(`${source}: expected a URL without ? and #, which belong into a password as %3F and %23`);
  }
  const secrets = secretsOf(url);
  return {
    url: url.href,
    shown: `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`,
    redact: (message) => secrets.reduce((shown, secret) => shown.replaceAll(secret, '***'), message),
  };
}

/** How a command may name the address. */
export interface AddressOptions {
  /** Of the command line; true where the option has no value. */
  readonly cluster?: string | true;
  /** A file that holds the URL. */
  readonly clusterFile?: string;
}

/**
 * The address from the command line, a file or the environment, in this order.
 * @returns undefined where none is given
 * @throws {AddressError} if it cannot be used; also for a password on the command line, which everyone on the machine can read
 */
export function findAddress(
  { cluster, clusterFile }: AddressOptions,
  environment: NodeJS.ProcessEnv,
): ClusterAddress | undefined {
  if (typeof cluster === 'string') {
    const address = parseAddress(cluster, '--cluster');
    if (new URL(address.url).password !== '') {
      throw new AddressError(
        `--cluster: expected a URL without a password, because everyone on this machine can read command lines (ps); ` +
          `put the whole URL into the environment variable ${CLUSTER_VARIABLE} or a file for --cluster-file, and leave --cluster without a value. ` +
          `The password has been on a command line: change it`,
      );
    }
    return address;
  }
  if (clusterFile !== undefined) {
    let text: string;
    try {
      text = readFileSync(clusterFile, 'utf8');
    } catch (error) {
      throw new AddressError(`--cluster-file: expected a file that holds a URL, but ${(error as Error).message}`);
    }
    return parseAddress(text, `--cluster-file ${clusterFile}`);
  }
  const inherited = environment[CLUSTER_VARIABLE];
  return inherited === undefined || inherited === '' ? undefined : parseAddress(inherited, CLUSTER_VARIABLE);
}
