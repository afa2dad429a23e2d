import { Presets, SingleBar } from 'cli-progress';
import type { DownloadProgress } from '../datasets/download';
import type { Streams } from './output';

/** Shows how far a run is: a bar on a terminal, a line at every quarter where output is piped. */
export interface Progress {
  /** `label` names what is running; a new label starts a new bar. `detail` is what is known so far. */
  update(label: string, done: number, total: number, detail: string): void;
  /** Ends the last bar. To be called in any case, or the terminal stays without its cursor. */
  stop(): void;
}

const QUARTERS = 4;

function lines(streams: Streams): Progress {
  let current = '';
  let lastQuarter = 0;
  return {
    update(label, done, total, detail) {
      if (label !== current) lastQuarter = 0;
      current = label;
      const quarter = Math.floor((QUARTERS * done) / total);
      if (quarter <= lastQuarter) return;
      lastQuarter = quarter;
      streams.err.write(
        `${label}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')}${detail && `, ${detail}`}\n`,
      );
    },
    stop() {},
  };
}

function bars(streams: Streams): Progress {
  let bar: SingleBar | undefined;
  let current = '';
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    update(label, done, total, detail) {
      if (label !== current) stop();
      if (!bar) {
        current = label;
        bar = new SingleBar(
          { stream: streams.err, format: '{label} {bar} {value}/{total}  {detail}', barsize: 28, hideCursor: true },
          Presets.shades_classic,
        );
        bar.start(total, done, { label: label.padEnd(18), detail });
      } else {
        bar.update(done, { detail });
      }
      if (done >= total) stop();
    },
    stop,
  };
}

/** Progress on the error stream. */
export function createProgress(streams: Streams): Progress {
  return streams.err.isTTY ? bars(streams) : lines(streams);
}

/** Shows the download of files. */
export function downloadProgress(progress: Progress): (download: DownloadProgress) => void {
  return ({ file, received, total }) =>
    progress.update(`downloading ${file}`, received, total ?? received + 1, `${(received / 1e6).toFixed(1)} MB`);
}
